// The coefficients of the gradient formula (core/gradient.h), a row of numbers for each: of every
// lane of a unit.
#ifndef STATPOOL_CPU_COEFFICIENT_ROWS_H_
#define STATPOOL_CPU_COEFFICIENT_ROWS_H_

#include <algorithm>

#include "cc/core/accumulators.h"
#include "cc/core/gradient.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

static_assert(kMaxFold + kSeriesChannels <= kMostLanes,
              "the lanes of a channel lie before the channels of its unit");
static_assert(kMaxFold % kLanes<float> == 0, "no vector reaches beyond the lanes of a channel");

// A slope in double: a norm of 1e-30 under an upstream of 1 stays finite.
template <typename Compute>
struct SlopeRows {
  static constexpr bool kScaled = std::is_same_v<Compute, double>;
  alignas(64) double value[kMostLanes];
  alignas(64) double scale[kScaled ? kMostLanes : 1];  // what x is multiplied by first
};

template <typename Compute>
struct CoefficientRows {
  // The coefficients of lane i stand at i & lane_mask: a single channel needs those of few lanes.
  int64_t lane_mask;
  // Whether constant and slope may be computed with in float: constant_narrow and slope_narrow.
  bool is_narrow;
  alignas(64) float constant_narrow[kMostLanes];
  alignas(64) float slope_narrow[kMostLanes];
  alignas(64) double constant[kMostLanes];
  SlopeRows<Compute> slope;
  SlopeRows<Compute> central;
  alignas(64) double mean[kMostLanes];
  alignas(64) Compute max[kMostLanes];
  alignas(64) Compute max_share[kMostLanes];
  alignas(64) Compute min[kMostLanes];
  alignas(64) Compute min_share[kMostLanes];
};

// Makes lanes [0, fold * width) repeat lanes [first, first + width): the first ones, or such as lie
// behind all that is written.
template <typename Compute>
void RepeatLanes(const core::GradientTerms& terms, int64_t first, int64_t width, int64_t fold,
                 CoefficientRows<Compute>* coefficients) {
  const auto repeat = [&](auto* row) {
    if (width == 1) {
      std::fill_n(row, fold, row[first]);
      return;
    }
    for (int64_t k = first == 0 ? 1 : 0; k < fold; ++k) {
      std::copy_n(row + first, width, row + k * width);
    }
  };
  const auto repeat_slope = [&](SlopeRows<Compute>* slope) {
    repeat(slope->value);
    if (SlopeRows<Compute>::kScaled) repeat(slope->scale);
  };
  coefficients->lane_mask = width == 1 && fold == kMaxFold ? fold - 1 : -1;
  if (coefficients->is_narrow) {
    repeat(coefficients->constant_narrow);
    repeat(coefficients->slope_narrow);
  } else {
    if (terms.constant) repeat(coefficients->constant);
    if (terms.slope) repeat_slope(&coefficients->slope);
    if (terms.central) repeat_slope(&coefficients->central);
    if (terms.central) repeat(coefficients->mean);
  }
  if (terms.max) repeat(coefficients->max);
  if (terms.max) repeat(coefficients->max_share);
  if (terms.min) repeat(coefficients->min);
  if (terms.min) repeat(coefficients->min_share);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_COEFFICIENT_ROWS_H_
