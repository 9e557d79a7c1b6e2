// TensorFlow's own threads for the CPU's kernels.
#ifndef STATPOOL_TF_POOL_THREADS_H_
#define STATPOOL_TF_POOL_THREADS_H_

#include <utility>

#include "cc/cpu/threads.h"
#include "tensorflow/core/framework/device_base.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/threadpool.h"

namespace statpool {
namespace tf {

class PoolThreads final : public cpu::Threads {
 public:
  explicit PoolThreads(tensorflow::OpKernelContext* ctx)
      : workers_(ctx->device()->tensorflow_cpu_worker_threads()->workers) {}

  int64_t count() const override { return workers_->NumThreads(); }
  void Schedule(std::function<void()> task) override { workers_->Schedule(std::move(task)); }

 private:
  tensorflow::thread::ThreadPool* const workers_;
};

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_POOL_THREADS_H_
