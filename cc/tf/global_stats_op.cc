#include "cc/tf/global_stats_op.h"

namespace statpool {
namespace tf {

GlobalStatsOp::GlobalStatsOp(tensorflow::OpKernelConstruction* ctx) : OpKernel(ctx) {
  OP_REQUIRES_OK(ctx, ReadAttributes(ctx, &attributes_));
}

void GlobalStatsOp::Compute(tensorflow::OpKernelContext* ctx) {
  PoolingInputs inputs;
  OP_REQUIRES_OK(ctx, ReadInputs(ctx, attributes_, &inputs));
  tensorflow::Tensor* y = nullptr;
  tensorflow::Tensor* saved = nullptr;
  OP_REQUIRES_OK(ctx, ctx->allocate_output("y", OutputShape(inputs.problem), &y));
  OP_REQUIRES_OK(ctx, ctx->allocate_output("saved", SavedShape(inputs.problem), &saved));
  if (y->NumElements() == 0) return;
  OP_REQUIRES_OK(ctx, Launch(ctx, inputs, y, saved));
}

}  // namespace tf
}  // namespace statpool
