#include "cc/tf/global_stats_op.h"

#include "cc/tf/shape_functions.h"
#include "tensorflow/core/framework/op.h"

namespace statpool {
namespace tf {

REGISTER_OP("Statpool>GlobalStats")
    .Input("x: T")                          // [B, T, C], or [B, C, T] with channels_first
    .Input("mask: num_masks * bool")        // none, or one of [B, T]
    .Input("lengths: num_lengths * int64")  // none, or one of [B]
    .Output("y: Tout")                      // [B, S * C]
    .Output("saved: Tsaved")                // [B, planes, C]
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("Tout: {half, bfloat16, float, double}")
    .Attr("Tsaved: {float, double}")
    .Attr("num_masks: int >= 0 = 0")
    .Attr("num_lengths: int >= 0 = 0")
    .Attr("statistics: list(string) = ['mean', 'max', 'l2']")
    .Attr("epsilon: string = '1e-12'")
    .Attr("data_format: {'channels_last', 'channels_first'} = 'channels_last'")
    .SetShapeFn(GlobalStatsShape)
    .Doc(R"doc(
Statistics over time in one read of x.

A step counts if the mask is true there and it lies below the example's length. Examples
without such a step give mean, max and min 0 and sqrt(epsilon) for l2, rms and std.

x: The sequences.
mask: True keeps a step.
lengths: Steps of each example, 0 <= n <= T.
y: The statistics side by side, in the order of `statistics`.
saved: What the gradient needs: extremes, how many steps equal them, unrounded norms.
epsilon: Added below the root of l2, rms and std; finite and >= 0. Decimal text, because a float
  attribute has the precision of float32.
)doc");

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
