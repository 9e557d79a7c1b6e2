// TensorFlow's own threads for the CPU kernels.
#ifndef STATPOOL_TF_PARALLEL_FOR_H_
#define STATPOOL_TF_PARALLEL_FOR_H_

#include <utility>

#include "cc/cpu/shared_work.h"
#include "tensorflow/core/framework/device_base.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/threadpool.h"

namespace statpool {
namespace tf {

inline cpu::ParallelFor ParallelForOf(tensorflow::OpKernelContext* ctx) {
  auto* workers = ctx->device()->tensorflow_cpu_worker_threads()->workers;
  return [workers](int64_t units, int64_t cost, const cpu::Work& work) {
    const auto schedule = [workers](std::function<void()> run) {
      workers->Schedule(std::move(run));
    };
    cpu::ShareWork({workers->NumThreads(), cpu::kPoolStartNanos, schedule}, units, cost, work);
  };
}

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_PARALLEL_FOR_H_
