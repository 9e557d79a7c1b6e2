// The coefficients of the gradient formula (core/gradient.h): a row for each, with a number for
// every lane of a unit.
#ifndef STATPOOL_CPU_GRADIENT_COEFFICIENT_ROWS_H_
#define STATPOOL_CPU_GRADIENT_COEFFICIENT_ROWS_H_

#include <algorithm>

#include "cc/core/accumulators.h"
#include "cc/core/activation.h"
#include "cc/core/gradient.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

static_assert(kMaxFold + kSeriesChannels <= kMostLanes,
              "a row has room for the lanes of a channel and, behind them, the unit's channels");
static_assert(kMaxFold % kLanes<float> == 0, "no vector reaches beyond the lanes of a channel");

// A slope in double, because g / root may overflow in float.
template <typename Compute>
struct SlopeRows {
  static constexpr bool kScaled = std::is_same_v<Compute, double>;
  alignas(64) double value[kMostLanes];
  alignas(64) double scale[kScaled ? kMostLanes : 1];  // what x is multiplied by first
};

template <typename Compute>
struct CoefficientRows {
  core::GradientTerms terms;  // that there are rows for
  core::KernelActivation activation;
  // The coefficients of lane i are at i & lane_mask, so that a channel repeats those of few lanes.
  int64_t lane_mask;
  // Whether float is precise enough for constant and slope: constant_narrow and slope_narrow.
  bool is_narrow;
  // Whether lanes are in the order of LoadDeinterleaved: in each block of 2 * kLanes<float> the
  // even ones come first. Then rows consist of whole blocks, or all lanes are equal.
  bool is_deinterleaved;
  alignas(64) float constant_narrow[kMostLanes];
  alignas(64) float slope_narrow[kMostLanes];
  alignas(64) double constant[kMostLanes];
  SlopeRows<Compute> slope;
  SlopeRows<Compute> central;
  alignas(64) double mean[kMostLanes];
  alignas(64) double mean_rest[SlopeRows<Compute>::kScaled ? kMostLanes : 1];  // exact - mean
  alignas(64) Compute max[kMostLanes];
  alignas(64) Compute max_share[kMostLanes];
  alignas(64) Compute min[kMostLanes];
  alignas(64) Compute min_share[kMostLanes];
};

// Calls visit(row) for every row that the terms need.
template <typename Compute, typename Visit>
void ForEachRow(CoefficientRows<Compute>* coefficients, const Visit& visit) {
  static_assert(core::kTermCount == 5,
                "a term has rows here, in FillNarrow, FillWide and GradientLanes");
  const core::GradientTerms& terms = coefficients->terms;
  const auto visit_slope = [&](SlopeRows<Compute>* slope) {
    visit(slope->value);
    if (SlopeRows<Compute>::kScaled) visit(slope->scale);
  };
  if (coefficients->is_narrow) {
    visit(coefficients->constant_narrow);
    visit(coefficients->slope_narrow);
  } else {
    if (terms.constant) visit(coefficients->constant);
    if (terms.slope) visit_slope(&coefficients->slope);
    if (terms.central) visit_slope(&coefficients->central);
    if (terms.central) visit(coefficients->mean);
    if (terms.central && SlopeRows<Compute>::kScaled) visit(coefficients->mean_rest);
  }
  if (terms.max) visit(coefficients->max);
  if (terms.max) visit(coefficients->max_share);
  if (terms.min) visit(coefficients->min);
  if (terms.min) visit(coefficients->min_share);
}

// Makes lanes [0, fold * width) repeat lanes [0, width).
template <typename Compute>
void RepeatLanes(int64_t width, int64_t fold, CoefficientRows<Compute>* coefficients) {
  ForEachRow(coefficients, [&](auto* row) {
    for (int64_t k = 1; k < fold; ++k) std::copy_n(row, width, row + k * width);
  });
}

// Fills the lanes that lane_mask reaches with a single lane that is behind them.
template <typename Compute>
void RepeatLane(int64_t lane, CoefficientRows<Compute>* coefficients) {
  coefficients->lane_mask = kMaxFold - 1;
  ForEachRow(coefficients, [&](auto* row) { std::fill_n(row, kMaxFold, row[lane]); });
}

// Sorts lanes [0, width), whole blocks of 2 * kLanes<float>.
template <typename Compute>
void DeinterleaveLanes(int64_t width, CoefficientRows<Compute>* coefficients) {
  constexpr int N = kLanes<float>;
  coefficients->is_deinterleaved = true;
  ForEachRow(coefficients, [&](auto* row) {
    for (auto* block = row; block < row + width; block += 2 * N) {
      std::remove_pointer_t<decltype(row)> odd[N];
      for (int i = 0; i < N; ++i) odd[i] = block[2 * i + 1];
      for (int i = 0; i < N; ++i) block[i] = block[2 * i];
      std::copy_n(odd, N, block + N);
    }
  });
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_COEFFICIENT_ROWS_H_
