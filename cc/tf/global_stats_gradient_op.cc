#include "cc/tf/global_stats_gradient_op.h"

#include "cc/tf/shape_functions.h"
#include "tensorflow/core/framework/op.h"

namespace statpool {
namespace tf {

REGISTER_OP("Statpool>GlobalStatsGrad")
    .Input("upstream: Tout")                // [B, S * C]
    .Input("x: T")                          // [B, T, C], or [B, C, T] with channels_first
    .Input("saved: Tsaved")                 // [B, planes, C]
    .Input("mask: num_masks * bool")        // none, or one of [B, T]
    .Input("lengths: num_lengths * int64")  // none, or one of [B]
    .Output("dx: T")                        // as x
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("Tout: {half, bfloat16, float, double}")
    .Attr("Tsaved: {float, double}")
    .Attr("num_masks: int >= 0 = 0")
    .Attr("num_lengths: int >= 0 = 0")
    .Attr("statistics: list(string) = ['mean', 'max', 'l2']")
    .Attr("epsilon: string = '1e-12'")
    .Attr("data_format: {'channels_last', 'channels_first'} = 'channels_last'")
    .SetShapeFn(GlobalStatsGradShape)
    .Doc(R"doc(
Gradient of Statpool>GlobalStats with respect to x, in one more read of x.

Steps that do not count get exactly 0. Equal extremes share their gradient evenly. Where a norm
is 0, its gradient is 0.

upstream: Gradient of y.
x: As given to Statpool>GlobalStats.
saved: As returned by it.
mask: As given to it.
lengths: As given to it.
dx: Gradient of x.
epsilon: As given to it; only the gradient of this op depends on it.
)doc");

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
  OP_REQUIRES_OK(ctx, ExpectShape("upstream", "[B, S * C]", upstream->shape(),
                                  OutputShape(inputs.problem)));
  OP_REQUIRES_OK(
      ctx, ExpectShape("saved", "[B, planes, C]", saved->shape(), SavedShape(inputs.problem)));
  tensorflow::Tensor* dx = nullptr;
  OP_REQUIRES_OK(ctx, ctx->allocate_output("dx", inputs.x->shape(), &dx));
  if (dx->NumElements() == 0) return;
  OP_REQUIRES_OK(ctx, Launch(ctx, inputs, *upstream, *saved, dx));
}

}  // namespace tf
}  // namespace statpool
