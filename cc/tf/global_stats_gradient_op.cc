#include "cc/tf/global_stats_gradient_op.h"

namespace statpool {
namespace tf {

GlobalStatsGradientOp::GlobalStatsGradientOp(tensorflow::OpKernelConstruction* ctx)
    : OpKernel(ctx) {
  OP_REQUIRES_OK(ctx, ReadAttributes(ctx, &attributes_));
}

void GlobalStatsGradientOp::Compute(tensorflow::OpKernelContext* ctx) {
  PoolingInputs inputs;
  const tensorflow::Tensor* upstream;
  const tensorflow::Tensor* saved;
  OP_REQUIRES_OK(ctx, ReadInputs(ctx, attributes_, &inputs));
  OP_REQUIRES_OK(ctx, ctx->input("upstream", &upstream));
  OP_REQUIRES_OK(ctx, ctx->input("saved", &saved));
  OP_REQUIRES_OK(
      ctx, ExpectShape("upstream", "[B, S * C]", upstream->shape(), OutputShape(inputs.problem)));
  OP_REQUIRES_OK(
      ctx, ExpectShape("saved", "[B, planes, C]", saved->shape(), SavedShape(inputs.problem)));
  tensorflow::Tensor* dx = nullptr;
  if (CanOverwriteInput()) {
    OP_REQUIRES_OK(ctx, ctx->forward_input_or_allocate_output({"x"}, "dx", inputs.x->shape(), &dx));
  } else {
    OP_REQUIRES_OK(ctx, ctx->allocate_output("dx", inputs.x->shape(), &dx));
  }
  if (dx->NumElements() == 0) return;
  OP_REQUIRES_OK(ctx, Launch(ctx, inputs, *upstream, *saved, dx));
}

}  // namespace tf
}  // namespace statpool
