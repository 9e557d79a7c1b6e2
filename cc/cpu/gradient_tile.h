// The coefficients of the gradient formula (core/gradient.h) for each channel of a tile, or for
// each of its lanes.
#ifndef STATPOOL_CPU_GRADIENT_TILE_H_
#define STATPOOL_CPU_GRADIENT_TILE_H_

#include <algorithm>

#include "cc/core/gradient.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

static_assert(kMaxFold + kSeriesChannels <= kTileLanes,
              "the lanes of a channel lie before the channels of its unit");
static_assert(kMaxFold % kLanes<float> == 0, "no vector reaches beyond the lanes of a channel");

// A slope in double: a norm of 1e-30 under an upstream of 1 stays finite.
template <typename Compute>
struct Slope {
  static constexpr bool kScaled = std::is_same_v<Compute, double>;
  alignas(64) double value[kTileLanes];
  alignas(64) double scale[kScaled ? kTileLanes : 1];  // what x is multiplied by first
};

template <typename Compute>
struct GradientTile {
  // The coefficients of lane i stand at i & lane_mask: a single channel needs those of few lanes.
  int64_t lane_mask;
  // Whether constant and slope may be computed with in float: constant_narrow and slope_narrow.
  bool is_narrow;
  alignas(64) float constant_narrow[kTileLanes];
  alignas(64) float slope_narrow[kTileLanes];
  alignas(64) double constant[kTileLanes];
  Slope<Compute> slope;
  Slope<Compute> central;
  alignas(64) double mean[kTileLanes];
  alignas(64) Compute max[kTileLanes];
  alignas(64) Compute max_share[kTileLanes];
  alignas(64) Compute min[kTileLanes];
  alignas(64) Compute min_share[kTileLanes];
};

// Makes lanes [0, fold * width) repeat lanes [first, first + width): the first ones, or such as lie
// behind all that is written.
template <typename Compute>
void RepeatLanes(const core::GradientTerms& terms, int64_t first, int64_t width, int64_t fold,
                 GradientTile<Compute>* tile) {
  const auto repeat = [&](auto* row) {
    if (width == 1) {
      std::fill_n(row, fold, row[first]);
      return;
    }
    for (int64_t k = first == 0 ? 1 : 0; k < fold; ++k) {
      std::copy_n(row + first, width, row + k * width);
    }
  };
  const auto repeat_slope = [&](Slope<Compute>* slope) {
    repeat(slope->value);
    if (Slope<Compute>::kScaled) repeat(slope->scale);
  };
  tile->lane_mask = width == 1 && fold == kMaxFold ? fold - 1 : -1;
  if (tile->is_narrow) {
    repeat(tile->constant_narrow);
    repeat(tile->slope_narrow);
  } else {
    if (terms.constant) repeat(tile->constant);
    if (terms.slope) repeat_slope(&tile->slope);
    if (terms.central) repeat_slope(&tile->central);
    if (terms.central) repeat(tile->mean);
  }
  if (terms.max) repeat(tile->max);
  if (terms.max) repeat(tile->max_share);
  if (terms.min) repeat(tile->min);
  if (terms.min) repeat(tile->min_share);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_TILE_H_
