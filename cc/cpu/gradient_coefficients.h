// From what the forward pass saved to the coefficients of a tile, some channels at a time.
#ifndef STATPOOL_CPU_GRADIENT_COEFFICIENTS_H_
#define STATPOOL_CPU_GRADIENT_COEFFICIENTS_H_

#include "cc/core/gradient.h"
#include "cc/cpu/gradient_sources.h"
#include "cc/cpu/gradient_tile.h"
#include "cc/cpu/steps.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
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
// Constant and slopes, of N channels

// In float. Only while is_moderate: while a coefficient and its product with any x lose no more
// than a rounding each. NaN may pass: it stays NaN.
template <int N>
struct NarrowLanes {
  using V = Vec<float, N>;
  static constexpr bool kHasCentral = false;

  __attribute__((always_inline)) void AddMean(const V& g, const V& mean, float n) {
    Add(core::MeanConstant(g, mean, n), g == 0.0f, &constant);
  }

  // Adds g / (n * root).
  __attribute__((always_inline)) void AddRoot(const V& g, float n, const V& root) {
    Add(core::RootSlope(g, V(n * root)), (g == 0.0f) | (root == 0.0f), &slope);
  }

  template <typename Mask>
  __attribute__((always_inline)) void Add(const V& term, const Mask& is_zero, V* sum) {
    const V magnitude = term < 0.0f ? -term : term;
    const auto is_lost = (magnitude < 0x1p-100f) & ~is_zero;
    is_moderate &= AllTrue<N>(~(is_lost | (magnitude > 0x1p100f)));
    *sum += term;
  }

  V constant = {};
  V slope = {};
  bool is_moderate = true;
};

// A slope in double. The scale that suits its first root serves a second one: l2 and rms differ by
// less than a factor of 2^32.
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

// In double.
template <typename Compute, int N>
struct WideLanes {
  using V = Vec<double, N>;
  static constexpr bool kHasCentral = true;

  __attribute__((always_inline)) void AddMean(const V& g, const V& mean, double n) {
    constant += core::MeanConstant(g, mean, n);
  }

  __attribute__((always_inline)) void AddRoot(const V& g, double n, const V& root) {
    slope.Add(g, n, root);
  }

  V constant = {};
  V mean = {};
  SlopeLanes<Compute, N> slope;
  SlopeLanes<Compute, N> central;
};

// Adds what the statistics asked for contribute to channels [c, c + N).
template <int N, typename T, typename Lanes>
STATPOOL_INLINE void AddStatistics(const GradientSources<T>& from, int64_t c, Lanes* lanes) {
  using V = typename Lanes::V;
  const auto widen = [](const auto& value) __attribute__((always_inline)) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, V>) {
      return value;
    } else {
      return Widen<N>(value);
    }
  };
  const auto plane = [&](core::Plane p) { return widen(from.template Plane<N>(p, c)); };
  for (int i = 0; i < from.statistics.size; ++i) {
    const V g = widen(from.template Upstream<N>(i, c));
    switch (from.statistics.items[i]) {
      case core::Statistic::kMean:
        lanes->AddMean(g, plane(core::Plane::kMean), from.Steps());
        break;
      case core::Statistic::kMax:
        lanes->constant += core::ExtremeConstant(plane(core::Plane::kMax));
        break;
      case core::Statistic::kMin:
        lanes->constant += core::ExtremeConstant(plane(core::Plane::kMin));
        break;
      case core::Statistic::kL2:
        lanes->AddRoot(g, 1, plane(core::Plane::kL2));
        break;
      case core::Statistic::kRms:
        lanes->AddRoot(g, from.Steps(), plane(core::Plane::kRms));
        break;
      case core::Statistic::kStd:
        if constexpr (Lanes::kHasCentral) {
          lanes->central.Add(g, from.Steps(), plane(core::Plane::kStd));
          lanes->mean = plane(core::Plane::kMean) + plane(core::Plane::kMeanResidual);
        }
        break;
    }
  }
}

// False where float will not do for all channels. Not for std.
template <typename T>
bool FillNarrow(const GradientSources<T>& from, int64_t at, int64_t width,
                GradientTile<float>* tile) {
  bool is_moderate = true;
  ForLanes<kLanes<float>>(width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    NarrowLanes<N> sums;
    AddStatistics<N>(from, c, &sums);
    StoreRaw(sums.constant, tile->constant_narrow + at + c);
    StoreRaw(sums.slope, tile->slope_narrow + at + c);
    is_moderate &= sums.is_moderate;
  });
  return is_moderate;
}

template <typename T>
void FillWide(const GradientSources<T>& from, const core::GradientTerms& terms, int64_t at,
              int64_t width, GradientTile<core::ComputeType<T>>* tile) {
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    WideLanes<core::ComputeType<T>, N> sums;
    AddStatistics<N>(from, c, &sums);
    StoreRaw(sums.constant, tile->constant + at + c);
    sums.slope.Store(&tile->slope, at + c);
    if (!terms.central) return;
    StoreRaw(sums.mean, tile->mean + at + c);
    sums.central.Store(&tile->central, at + c);
  });
}

// ------------------------------------------------------------------------------------------------
// Tiles

// The channels of a unit, from lane `at` on.
template <typename T>
void FillTile(const GradientArguments& a, const core::GradientTerms& terms, const Unit& unit,
              int64_t at, GradientTile<core::ComputeType<T>>* tile) {
  const GradientSources<T> from(a, unit.b, unit.first_channel);
  const int64_t width = unit.channels;
  for (int i = 0; i < from.statistics.size; ++i) {
    if (from.statistics.items[i] == core::Statistic::kMax) {
      FillExtremes(from, i, core::Plane::kMax, core::Plane::kMaxCount, width, tile->max + at,
                   tile->max_share + at);
    }
    if (from.statistics.items[i] == core::Statistic::kMin) {
      FillExtremes(from, i, core::Plane::kMin, core::Plane::kMinCount, width, tile->min + at,
                   tile->min_share + at);
    }
  }
  tile->lane_mask = -1;
  tile->is_narrow = false;
  if constexpr (std::is_same_v<core::ComputeType<T>, float>) {
    tile->is_narrow = !terms.central && FillNarrow(from, at, width, tile);
  }
  if (!tile->is_narrow) FillWide(from, terms, at, width, tile);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_COEFFICIENTS_H_
