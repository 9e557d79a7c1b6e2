// TensorFlow's own threads for the CPU kernels.
#ifndef STATPOOL_TF_PARALLEL_FOR_H_
#define STATPOOL_TF_PARALLEL_FOR_H_

#include "cc/cpu/parallel.h"
#include "tensorflow/core/framework/device_base.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/threadpool.h"

namespace statpool {
namespace tf {

inline cpu::ParallelFor ParallelForOf(tensorflow::OpKernelContext* ctx) {
  constexpr int64_t kCyclesPerNanosecond = 3;  // the pool counts in cycles
  auto* workers = ctx->device()->tensorflow_cpu_worker_threads()->workers;
  return [workers](int64_t units, int64_t cost, const cpu::Work& work) {
    using Scheduling = tensorflow::thread::ThreadPool::SchedulingParams;
    workers->ParallelFor(units, Scheduling::Adaptive(cost * kCyclesPerNanosecond), work);
  };
}

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_PARALLEL_FOR_H_
