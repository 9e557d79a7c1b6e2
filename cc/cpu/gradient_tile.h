// The coefficients of the gradient formula for each channel of a tile, as core/gradient.h defines
// them, and for each lane.
#ifndef STATPOOL_CPU_GRADIENT_TILE_H_
#define STATPOOL_CPU_GRADIENT_TILE_H_

#include <algorithm>
#include <cmath>

#include "cc/core/gradient.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/lanes.h"
#include "cc/cpu/simd.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

// A slope in double: a norm of 1e-30 under an upstream of 1 stays finite.
template <typename Compute>
struct Slope {
  static constexpr bool kScaled = std::is_same_v<Compute, double>;
  alignas(64) double value[kTileLanes];
  alignas(64) double scale[kScaled ? kTileLanes : 1];  // what x is multiplied by first

  bool is_empty;

  void Clear(int64_t width) {
    is_empty = true;
    std::fill_n(value, width, 0.0);
  }

  // Adds the slope g / (n * root) of each channel. The scale that suits the first root serves a
  // second one: l2 and rms differ by less than a factor of 2^32.
  void Add(int64_t width, const double* g, double n, const double* root) {
    const bool is_first = is_empty;
    is_empty = false;
    for (int64_t c = 0; c < width; ++c) {
      if constexpr (kScaled) {
        if (is_first) scale[c] = core::RootScale(root[c]);
        value[c] += core::RootSlope(g[c] / n, root[c] * scale[c]);
      } else {
        value[c] += core::RootSlope(g[c], n * root[c]);
      }
    }
  }
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

template <typename T>
void LoadUpstream(const GradientArguments& a, int64_t at, int64_t width, double* values) {
  if constexpr (sizeof(T) == 2) {
    if (a.out_dtype == core::DType::kFloat32) {
      return LoadColumns(static_cast<const float*>(a.upstream) + at, width, values);
    }
  }
  LoadColumns(static_cast<const T*>(a.upstream) + at, width, values);
}

// Whether values and their products with any x lose no more than a rounding each in float. NaN may
// pass: it stays NaN.
inline bool AreModerate(const double* values, int64_t width) {
  bool are_moderate = true;
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    const auto value = LoadRaw<Vec<double, N>>(values + i);
    const auto magnitude = value < 0.0 ? -value : value;
    const auto is_tiny = (magnitude < 0x1p-100) & (magnitude != 0.0);
    are_moderate &= AllTrue<N>(~(is_tiny | (magnitude > 0x1p100)));
  });
  return are_moderate;
}

// Channels [first_channel, first_channel + width) of example b.
template <typename T>
void FillTile(const GradientArguments& a, const core::GradientTerms& terms, int64_t b,
              int64_t first_channel, int64_t width, GradientTile<core::ComputeType<T>>* tile) {
  using Compute = core::ComputeType<T>;
  const core::StatisticList& statistics = a.problem.statistics;
  const int64_t channels = a.problem.shape.channels;
  alignas(64) double g[kTileLanes];
  alignas(64) double plane[kTileLanes];
  const auto load = [&](core::Plane wanted) {
    const int64_t i =
        std::find(a.planes.items, a.planes.items + a.planes.size, wanted) - a.planes.items;
    const int64_t at = (b * a.planes.size + i) * channels + first_channel;
    LoadColumns(static_cast<const Compute*>(a.saved) + at, width, plane);
  };
  double n = 0;
  const auto load_steps = [&] {
    load(core::Plane::kSteps);
    n = plane[0];
  };
  const auto load_extreme = [&](core::Plane value, core::Plane ties, Compute* extreme,
                                Compute* share) {
    load(value);
    for (int64_t c = 0; c < width; ++c) {
      extreme[c] = static_cast<Compute>(plane[c]);
      tile->constant[c] += core::ExtremeConstant(plane[c]);
    }
    load(ties);
    for (int64_t c = 0; c < width; ++c) {
      share[c] = static_cast<Compute>(core::ExtremeShare(g[c], plane[c]));
    }
  };

  std::fill_n(tile->constant, width, 0.0);
  tile->slope.Clear(width);
  tile->central.Clear(width);
  for (int i = 0; i < statistics.size; ++i) {
    LoadUpstream<T>(a, (b * statistics.size + i) * channels + first_channel, width, g);
    switch (statistics.items[i]) {
      case core::Statistic::kMean:
        load_steps();
        load(core::Plane::kMean);
        for (int64_t c = 0; c < width; ++c) {
          tile->constant[c] += core::MeanConstant(g[c], plane[c], n);
        }
        break;
      case core::Statistic::kMax:
        load_extreme(core::Plane::kMax, core::Plane::kMaxCount, tile->max, tile->max_share);
        break;
      case core::Statistic::kMin:
        load_extreme(core::Plane::kMin, core::Plane::kMinCount, tile->min, tile->min_share);
        break;
      case core::Statistic::kL2:
        load(core::Plane::kL2);
        tile->slope.Add(width, g, 1, plane);
        break;
      case core::Statistic::kRms:
        load_steps();
        load(core::Plane::kRms);
        tile->slope.Add(width, g, n, plane);
        break;
      case core::Statistic::kStd:
        load_steps();
        load(core::Plane::kStd);
        tile->central.Add(width, g, n, plane);
        load(core::Plane::kMean);
        std::copy_n(plane, width, tile->mean);
        load(core::Plane::kMeanResidual);
        for (int64_t c = 0; c < width; ++c) tile->mean[c] += plane[c];
        break;
    }
  }
  tile->is_narrow = std::is_same_v<Compute, float> && !terms.central &&
                    AreModerate(tile->constant, width) && AreModerate(tile->slope.value, width);
  if (tile->is_narrow) {
    StoreColumns(tile->constant, width, tile->constant_narrow);
    StoreColumns(tile->slope.value, width, tile->slope_narrow);
  }
}

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
