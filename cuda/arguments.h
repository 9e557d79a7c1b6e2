// The parameters of the kernels: plain data, passed by value.
#ifndef STATPOOL_CUDA_ARGUMENTS_H_
#define STATPOOL_CUDA_ARGUMENTS_H_

#include <cstdint>

#include "cc/core/activation.h"
#include "cc/core/problem.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// The workspace holds the partial results of a plan with splits (cuda/forward/partials.cuh).
struct ForwardArguments : core::ForwardBuffers {
  core::Shape shape;
  core::KernelActivation activation;
  double epsilon;
  core::NeededSums needed;
  // The place of channel 0 of each SavedField in `saved`, and in y as a statistic; -1 for none.
  int64_t saved_at[core::kSavedFieldCount];
  int64_t y_at[core::kSavedFieldCount];
  int64_t saved_stride;  // from example to example
  int64_t y_stride;
  bool is_y_float;  // y is float32, whatever x is
  bool is_channels_last;
  LaunchPlan plan;
};

struct GradientArguments : core::GradientBuffers {
  core::Shape shape;
  core::KernelActivation activation;
  core::GradientTerms terms;
  int8_t statistic_at[core::kStatisticCount];  // the place in upstream of each Statistic, or -1
  int8_t place_of[core::kSavedFieldCount];     // the place in saved of each SavedField, or -1
  int32_t statistics;                          // S
  int32_t fields;
  bool is_upstream_float;  // upstream is float32, whatever x is
  LaunchPlan plan;
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_ARGUMENTS_H_
