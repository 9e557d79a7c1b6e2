// Shape inference of both ops: what can be known before a kernel runs, and errors that early.
#ifndef STATPOOL_TF_SHAPE_FUNCTIONS_H_
#define STATPOOL_TF_SHAPE_FUNCTIONS_H_

#include "absl/status/status.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace statpool {
namespace tf {

absl::Status GlobalStatsShape(tensorflow::shape_inference::InferenceContext* c);
absl::Status GlobalStatsGradShape(tensorflow::shape_inference::InferenceContext* c);

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_SHAPE_FUNCTIONS_H_
