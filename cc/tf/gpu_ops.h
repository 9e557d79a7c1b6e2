// Both ops on a GPU. cc/tf/gpu_registration.cc registers them; tests register the same classes
// without a GPU.
#ifndef STATPOOL_TF_GPU_OPS_H_
#define STATPOOL_TF_GPU_OPS_H_

#include <cuda_runtime_api.h>

#include "cc/tf/global_stats_ops.h"

namespace statpool {
namespace tf {

// The stream that TensorFlow runs this kernel on. A seam for tests: it is defined where the classes
// are registered.
cudaStream_t StreamOf(tensorflow::OpKernelContext* ctx);

// Both expect lengths in host memory.
class GlobalStatsOpGpu final : public GlobalStatsOp {
 public:
  using GlobalStatsOp::GlobalStatsOp;

 private:
  absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                      tensorflow::Tensor* y, tensorflow::Tensor* saved) override;
};

class GlobalStatsGradientOpGpu final : public GlobalStatsGradientOp {
 public:
  using GlobalStatsGradientOp::GlobalStatsGradientOp;

 private:
  absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                      const tensorflow::Tensor& upstream, const tensorflow::Tensor& saved,
                      tensorflow::Tensor* dx) override;
};

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_GPU_OPS_H_
