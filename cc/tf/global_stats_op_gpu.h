// Statpool>GlobalStats on a GPU.
#ifndef STATPOOL_TF_GLOBAL_STATS_OP_GPU_H_
#define STATPOOL_TF_GLOBAL_STATS_OP_GPU_H_

#include "cc/tf/global_stats_op.h"

namespace statpool {
namespace tf {

// Expects lengths in host memory.
class GlobalStatsOpGpu final : public GlobalStatsOp {
 public:
  using GlobalStatsOp::GlobalStatsOp;

 private:
  absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                      tensorflow::Tensor* y, tensorflow::Tensor* saved) override;
};

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_GLOBAL_STATS_OP_GPU_H_
