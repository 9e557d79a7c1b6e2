// Statpool>GlobalStatsGrad on a GPU.
#ifndef STATPOOL_TF_GLOBAL_STATS_GRADIENT_OP_GPU_H_
#define STATPOOL_TF_GLOBAL_STATS_GRADIENT_OP_GPU_H_

#include "cc/tf/global_stats_gradient_op.h"

namespace statpool {
namespace tf {

// Expects lengths in host memory.
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

#endif  // STATPOOL_TF_GLOBAL_STATS_GRADIENT_OP_GPU_H_
