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
namespace {

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
  int64_t lane_mask = -1;
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

// Lanes [0, fold * width) of `lanes` repeat channels [first, first + width) of another tile.
template <typename Compute>
void RepeatChannels(const core::GradientTerms& terms, const GradientTile<Compute>& channels,
                    int64_t first, int64_t width, int64_t fold, GradientTile<Compute>* lanes) {
  const auto repeat = [&](const auto* from, auto* to) {
    if (width == 1) {
      std::fill_n(to, fold, from[first]);
      return;
    }
    for (int64_t k = 0; k < fold; ++k) std::copy_n(from + first, width, to + k * width);
  };
  const auto repeat_slope = [&](const Slope<Compute>& from, Slope<Compute>* to) {
    repeat(from.value, to->value);
    if (Slope<Compute>::kScaled) repeat(from.scale, to->scale);
  };
  lanes->is_narrow = channels.is_narrow;
  lanes->lane_mask = width == 1 && fold == kMaxFold ? fold - 1 : -1;
  if (channels.is_narrow) {
    repeat(channels.constant_narrow, lanes->constant_narrow);
    repeat(channels.slope_narrow, lanes->slope_narrow);
  } else {
    if (terms.constant) repeat(channels.constant, lanes->constant);
    if (terms.slope) repeat_slope(channels.slope, &lanes->slope);
    if (terms.central) repeat_slope(channels.central, &lanes->central);
    if (terms.central) repeat(channels.mean, lanes->mean);
  }
  if (terms.max) repeat(channels.max, lanes->max);
  if (terms.max) repeat(channels.max_share, lanes->max_share);
  if (terms.min) repeat(channels.min, lanes->min);
  if (terms.min) repeat(channels.min_share, lanes->min_share);
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_TILE_H_
