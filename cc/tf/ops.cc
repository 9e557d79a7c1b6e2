// The ops for TensorFlow: inputs, outputs, attributes, and the shapes and errors that are known
// before a kernel runs.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cc/core/statistics.h"
#include "cc/tf/pooling_inputs.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace statpool {
namespace tf {
namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// The handles that both ops share.
struct Known {
  ShapeHandle x;
  ShapeHandle y;      // [B, S * C]
  ShapeHandle saved;  // [B, planes, C]
};

// A shape merged with the one expected.
absl::Status CheckShape(InferenceContext* c, const char* name, const char* rule, ShapeHandle got,
                        ShapeHandle expected) {
  ShapeHandle merged;
  if (c->Merge(got, expected, &merged).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have shape ", rule, " = ",
                                                 c->DebugString(expected), ", got shape ",
                                                 c->DebugString(got)));
}

absl::Status CheckOptional(InferenceContext* c, const char* name, const char* rule,
                           ShapeHandle expected) {
  std::vector<ShapeHandle> list;
  TF_RETURN_IF_ERROR(c->input(name, &list));
  TF_RETURN_IF_ERROR(CheckAtMostOne(name, list.size()));
  return list.empty() ? absl::OkStatus() : CheckShape(c, name, rule, list[0], expected);
}

absl::Status CheckPooling(InferenceContext* c, int x_index, Known* known) {
  core::Problem problem;
  TF_RETURN_IF_ERROR(ReadAttributes(c, &problem));
  const ShapeHandle x = c->input(x_index);
  if (!c->WithRank(x, 3, &known->x).ok()) {
    return AsInvalidArgument(core::WrongRank(problem.layout, c->DebugString(x)));
  }
  const bool last = problem.layout == core::Layout::kChannelsLast;
  const DimensionHandle batch = c->Dim(known->x, 0);
  const DimensionHandle time = c->Dim(known->x, last ? 1 : 2);
  const DimensionHandle channels = c->Dim(known->x, last ? 2 : 1);
  TF_RETURN_IF_ERROR(CheckOptional(c, "mask", "[B, T]", c->MakeShape({batch, time})));
  TF_RETURN_IF_ERROR(CheckOptional(c, "lengths", "[B]", c->MakeShape({batch})));
  DimensionHandle width;
  TF_RETURN_IF_ERROR(c->Multiply(channels, problem.statistics.size, &width));
  const int64_t planes = core::SavedFieldsOf(problem.statistics).size;
  known->y = c->MakeShape({batch, width});
  known->saved = c->MakeShape({batch, c->MakeDim(planes), channels});
  return absl::OkStatus();
}

absl::Status GlobalStatsShape(InferenceContext* c) {
  Known known;
  TF_RETURN_IF_ERROR(CheckPooling(c, 0, &known));
  c->set_output(0, known.y);
  c->set_output(1, known.saved);
  return absl::OkStatus();
}

absl::Status GlobalStatsGradientShape(InferenceContext* c) {
  Known known;
  TF_RETURN_IF_ERROR(CheckPooling(c, 1, &known));
  TF_RETURN_IF_ERROR(CheckShape(c, "upstream", "[B, S * C]", c->input(0), known.y));
  TF_RETURN_IF_ERROR(CheckShape(c, "saved", "[B, planes, C]", c->input(2), known.saved));
  c->set_output(0, known.x);
  return absl::OkStatus();
}

absl::Status StreamingUpdateShape(InferenceContext* c) {
  Known known;
  TF_RETURN_IF_ERROR(CheckPooling(c, kStateFields, &known));
  const DimensionHandle batch = c->Dim(known.saved, 0);
  const ShapeHandle plane = c->MakeShape({batch, c->Dim(known.saved, 2)});
  for (int i = 0; i < kStateFields; ++i) {
    const ShapeHandle expected = i == 0 ? c->MakeShape({batch}) : plane;
    TF_RETURN_IF_ERROR(CheckShape(c, "state", i == 0 ? "[B]" : "[B, C]", c->input(i), expected));
    c->set_output(i, expected);
  }
  c->set_output(kStateFields, known.saved);
  return absl::OkStatus();
}

}  // namespace

// The attributes of all ops.
#define STATPOOL_ATTRIBUTES                                                       \
  .Attr("T: {half, bfloat16, float, double}")                                     \
      .Attr("Tout: {half, bfloat16, float, double}")                              \
      .Attr("Tsaved: {float, double}")                                            \
      .Attr("num_masks: int >= 0 = 0")                                            \
      .Attr("num_lengths: int >= 0 = 0")                                          \
      .Attr("statistics: list(string) = ['mean', 'max', 'l2']")                   \
      .Attr("epsilon: string = '1e-12'")                                          \
      .Attr("data_format: {'channels_last', 'channels_first'} = 'channels_last'") \
      .Attr("input_activation: {'none', 'relu', 'leaky_relu'} = 'none'")          \
      .Attr("negative_slope: string = '0.2'")

REGISTER_OP("Statpool>GlobalStats")
    .Input("x: T")                          // [B, T, C], or [B, C, T] with channels_first
    .Input("mask: num_masks * bool")        // none, or one of [B, T]
    .Input("lengths: num_lengths * int64")  // none, or one of [B]
    .Output("y: Tout")                      // [B, S * C]
    .Output("saved: Tsaved")                // [B, planes, C]
    STATPOOL_ATTRIBUTES.SetShapeFn(GlobalStatsShape)
    .Doc(R"doc(
Statistics over time in one read of x.

A step is valid if the mask is true there and it is below the example's length. Examples
without a valid step give mean, max and min 0 and sqrt(epsilon) for l2, rms and std.

x: The sequences.
mask: True keeps a step.
lengths: Steps of each example, 0 <= n <= T.
y: The statistics side by side, in the order of `statistics`.
saved: What the gradient needs: extremes, how many steps equal them, unrounded norms.
epsilon: Added below the root of l2, rms and std; finite and >= 0. Decimal text, because a float
  attribute has the precision of float32.
input_activation: Of x, in its dtype: its statistics are pooled, and the gradient is that of x.
negative_slope: Of leaky_relu; above 0 and at most 1. Decimal text.
)doc");

REGISTER_OP("Statpool>GlobalStatsGrad")
    .Input("upstream: Tout")                // [B, S * C]
    .Input("x: T")                          // [B, T, C], or [B, C, T] with channels_first
    .Input("saved: Tsaved")                 // [B, planes, C]
    .Input("mask: num_masks * bool")        // none, or one of [B, T]
    .Input("lengths: num_lengths * int64")  // none, or one of [B]
    .Output("dx: T")                        // as x
    STATPOOL_ATTRIBUTES.SetShapeFn(GlobalStatsGradientShape)
    .Doc(R"doc(
Gradient of Statpool>GlobalStats with respect to x, in one more read of x.

Steps that are not valid get exactly 0. Equal extremes share their gradient evenly. Where a norm
is 0, its gradient is 0.

upstream: Gradient of y.
x: As given to Statpool>GlobalStats.
saved: As returned by it.
mask: As given to it.
lengths: As given to it.
dx: Gradient of x.
epsilon: As given to it; only the gradient of this op depends on it.
input_activation: As given to it.
negative_slope: As given to it.
)doc");

// The fields of a state, as python/statpool/_streaming_state.py explains them.
#define STATPOOL_STATE(Direction, suffix)          \
  .Direction("count" suffix ": int64")             \
      .Direction("sum" suffix ": double")          \
      .Direction("sum_rest" suffix ": double")     \
      .Direction("squares" suffix ": double")      \
      .Direction("squares_rest" suffix ": double") \
      .Direction("max" suffix ": Tsaved")          \
      .Direction("max_count" suffix ": int64")     \
      .Direction("min" suffix ": Tsaved")          \
      .Direction("min_count" suffix ": int64")

REGISTER_OP("Statpool>StreamingUpdate")
STATPOOL_STATE(Input, "")
    .Input("x: T")                          // [B, T, C], or [B, C, T] with channels_first
    .Input("mask: num_masks * bool")        // none, or one of [B, T]
    .Input("lengths: num_lengths * int64")  // none, or one of [B]
    STATPOOL_STATE(Output, "_after")
    .Output("saved: Tsaved")  // [B, planes, C]
    STATPOOL_ATTRIBUTES.SetShapeFn(StreamingUpdateShape)
    .Doc(R"doc(
The state of sequences after one more piece of them, in one read of the piece.

count: Steps so far, [B].
sum: Of them, [B, C] as all that follow: sum + sum_rest, and squares + squares_rest.
max: -Inf before the first step.
max_count: How many steps equal max.
min: Inf before the first step.
min_count: How many steps equal min.
x: The piece.
mask: Of the piece; true keeps a step.
lengths: Of the piece: its steps of each example.
saved: What Statpool>GlobalStats saves of the piece.
statistics: mean, max, min and std.
epsilon: 0.
)doc");

#undef STATPOOL_STATE
#undef STATPOOL_ATTRIBUTES

}  // namespace tf
}  // namespace statpool
