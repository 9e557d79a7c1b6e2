// From what the forward pass saved to the coefficients of a tile, some channels at a time.
#ifndef STATPOOL_CPU_GRADIENT_COEFFICIENTS_H_
#define STATPOOL_CPU_GRADIENT_COEFFICIENTS_H_

#include "cc/core/gradient.h"
#include "cc/cpu/gradient_sources.h"
#include "cc/cpu/gradient_tile.h"

namespace statpool {
namespace cpu {
namespace {

// ------------------------------------------------------------------------------------------------
// Extremes

template <typename T>
void FillExtremes(const GradientSources<T>& from, int statistic, core::Plane value,
                  core::Plane ties, int64_t width, core::ComputeType<T>* extreme,
                  core::ComputeType<T>* share) {
  ForLanes<kLanes<core::ComputeType<T>>>(
      width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
        constexpr int N = decltype(lanes)::value;
        const auto g = from.template Upstream<N>(statistic, c);
        StoreRaw(from.template Plane<N>(value, c), extreme + c);
        StoreRaw(core::ExtremeShare(g, from.template Plane<N>(ties, c)), share + c);
      });
}

// ------------------------------------------------------------------------------------------------
// Constant and slope in float

// Whether a coefficient and its product with any x lose no more than a rounding each in float. NaN
// may pass: it stays NaN.
template <int N>
STATPOOL_INLINE bool IsModerate(const Vec<float, N>& value) {
  const auto magnitude = value < 0.0f ? -value : value;
  const auto is_tiny = (magnitude < 0x1p-100f) & (magnitude != 0.0f);
  return AllTrue<N>(~(is_tiny | (magnitude > 0x1p100f)));
}

// False where float will not do for all channels.
template <typename T>
bool FillNarrow(const GradientSources<T>& from, int64_t width, GradientTile<float>* tile) {
  bool is_moderate = true;
  ForLanes<kLanes<float>>(width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    using V = Vec<float, N>;
    V constant = {};
    V slope = {};
    const auto plane = [&](core::Plane p) { return from.template Plane<N>(p, c); };
    const auto add = [&](const V& term, const auto& is_zero,
                         V* sum) __attribute__((always_inline)) {
      is_moderate &= IsModerate<N>(term) && AllTrue<N>(is_zero | (term != 0.0f));
      *sum += term;
    };
    const auto add_slope = [&](const V& g, float n, const V& root) __attribute__((always_inline)) {
      add(core::RootSlope(g, V(n * root)), (g == 0.0f) | (root == 0.0f), &slope);
    };
    for (int i = 0; i < from.statistics.size; ++i) {
      const V g = from.template Upstream<N>(i, c);
      switch (from.statistics.items[i]) {
        case core::Statistic::kMean:
          add(core::MeanConstant(g, plane(core::Plane::kMean), from.Steps()), g == 0.0f, &constant);
          break;
        case core::Statistic::kMax:
          constant += core::ExtremeConstant(plane(core::Plane::kMax));
          break;
        case core::Statistic::kMin:
          constant += core::ExtremeConstant(plane(core::Plane::kMin));
          break;
        case core::Statistic::kL2:
          add_slope(g, 1, plane(core::Plane::kL2));
          break;
        case core::Statistic::kRms:
          add_slope(g, from.Steps(), plane(core::Plane::kRms));
          break;
        case core::Statistic::kStd:
          is_moderate = false;
          break;
      }
    }
    StoreRaw(constant, tile->constant_narrow + c);
    StoreRaw(slope, tile->slope_narrow + c);
  });
  return is_moderate;
}

// ------------------------------------------------------------------------------------------------
// Constant and slopes in double

// A slope of N channels. The scale that suits its first root serves a second one: l2 and rms differ
// by less than a factor of 2^32.
template <typename Compute, int N>
struct SlopeLanes {
  using D = Vec<double, N>;

  // Adds g / (n * root).
  __attribute__((always_inline)) void Add(const D& g, double n, const D& root) {
    if constexpr (Slope<Compute>::kScaled) {
      if (is_empty && !AllTrue<N>(core::IsCommonRoot(root))) {
        for (int i = 0; i < N; ++i) scale[i] = core::RootScale(root[i]);
      }
      value += core::RootSlope(D(g / n), D(root * scale));
    } else {
      value += core::RootSlope(g, D(n * root));
    }
    is_empty = false;
  }

  __attribute__((always_inline)) void Store(Slope<Compute>* to, int64_t c) const {
    StoreRaw(value, to->value + c);
    if (Slope<Compute>::kScaled) StoreRaw(scale, to->scale + c);
  }

  bool is_empty = true;
  D value = {};
  D scale = D{} + 1.0;
};

template <typename T>
void FillWide(const GradientSources<T>& from, const core::GradientTerms& terms, int64_t width,
              GradientTile<core::ComputeType<T>>* tile) {
  using Compute = core::ComputeType<T>;
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    using D = Vec<double, N>;
    D constant = {};
    SlopeLanes<Compute, N> slope;
    SlopeLanes<Compute, N> central;
    const auto plane = [&](core::Plane p) { return Widen<N>(from.template Plane<N>(p, c)); };
    for (int i = 0; i < from.statistics.size; ++i) {
      const D g = Widen<N>(from.template Upstream<N>(i, c));
      switch (from.statistics.items[i]) {
        case core::Statistic::kMean:
          constant += core::MeanConstant(g, plane(core::Plane::kMean), double(from.Steps()));
          break;
        case core::Statistic::kMax:
          constant += core::ExtremeConstant(plane(core::Plane::kMax));
          break;
        case core::Statistic::kMin:
          constant += core::ExtremeConstant(plane(core::Plane::kMin));
          break;
        case core::Statistic::kL2:
          slope.Add(g, 1, plane(core::Plane::kL2));
          break;
        case core::Statistic::kRms:
          slope.Add(g, from.Steps(), plane(core::Plane::kRms));
          break;
        case core::Statistic::kStd:
          central.Add(g, from.Steps(), plane(core::Plane::kStd));
          StoreRaw(D(plane(core::Plane::kMean) + plane(core::Plane::kMeanResidual)),
                   tile->mean + c);
          break;
      }
    }
    StoreRaw(constant, tile->constant + c);
    slope.Store(&tile->slope, c);
    if (terms.central) central.Store(&tile->central, c);
  });
}

// ------------------------------------------------------------------------------------------------
// Tiles

// Channels [first_channel, first_channel + width) of example b.
template <typename T>
void FillTile(const GradientArguments& a, const core::GradientTerms& terms, int64_t b,
              int64_t first_channel, int64_t width, GradientTile<core::ComputeType<T>>* tile) {
  const GradientSources<T> from(a, b, first_channel);
  for (int i = 0; i < from.statistics.size; ++i) {
    if (from.statistics.items[i] == core::Statistic::kMax) {
      FillExtremes(from, i, core::Plane::kMax, core::Plane::kMaxCount, width, tile->max,
                   tile->max_share);
    }
    if (from.statistics.items[i] == core::Statistic::kMin) {
      FillExtremes(from, i, core::Plane::kMin, core::Plane::kMinCount, width, tile->min,
                   tile->min_share);
    }
  }
  tile->is_narrow = false;
  if constexpr (std::is_same_v<core::ComputeType<T>, float>) {
    tile->is_narrow = !terms.central && FillNarrow(from, width, tile);
  }
  if (!tile->is_narrow) FillWide(from, terms, width, tile);
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_COEFFICIENTS_H_
