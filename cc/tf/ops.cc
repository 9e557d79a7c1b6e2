// The two ops: inputs, outputs and attributes.
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

}  // namespace tf
}  // namespace statpool
