// From the saved fields to the coefficients of a unit, some channels at a time.
#ifndef STATPOOL_CPU_GRADIENT_GRADIENT_COEFFICIENTS_H_
#define STATPOOL_CPU_GRADIENT_GRADIENT_COEFFICIENTS_H_

#include "cc/core/gradient.h"
#include "cc/cpu/gradient/coefficient_rows.h"
#include "cc/cpu/gradient/gradient_sources.h"
#include "cc/cpu/simd/lane_tests.h"
#include "cc/cpu/unit.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// ------------------------------------------------------------------------------------------------
// The terms of N channels, which core::AddGradient collects in vectors V of float or double

template <typename Number>
struct ExtremeTerms {
  using V = Number;

  STATPOOL_ALWAYS_INLINE void AddMaximum(const V& g, const V& value, const V& count) {
    constant += core::UnlessNan(value, V{});
    max = value;
    max_share += core::ExtremeShare(g, count);
  }

  STATPOOL_ALWAYS_INLINE void AddMinimum(const V& g, const V& value, const V& count) {
    constant += core::UnlessNan(value, V{});
    min = value;
    min_share += core::ExtremeShare(g, count);
  }

  V constant = {};
  V max = {};
  V max_share = {};
  V min = {};
  V min_share = {};
};

// In float. Valid only if is_moderate: a coefficient and its product with any x lose no more than a
// rounding each. NaN may pass, because it stays NaN. Not for std.
template <int N>
struct NarrowTerms : ExtremeTerms<Vec<float, N>> {
  using V = Vec<float, N>;

  STATPOOL_ALWAYS_INLINE void AddConstant(const V& g, const V& term) {
    Add(term, g == 0.0f, &this->constant);
  }

  STATPOOL_ALWAYS_INLINE void AddSlope(const V& g, float n, const V& root) {
    Add(core::RootSlope(g, V(n * root)), (g == 0.0f) | (root == 0.0f), &slope);
  }

  STATPOOL_ALWAYS_INLINE void AddCentral(const V&, float, const V&, const V&, const V&) {}

  template <typename Mask>
  STATPOOL_ALWAYS_INLINE void Add(const V& term, const Mask& is_zero, V* sum) {
    const V magnitude = term < 0.0f ? -term : term;
    const auto is_lost = (magnitude < 0x1p-100f) & ~is_zero;
    is_moderate &= AllTrue<N>(~(is_lost | (magnitude > 0x1p100f)));
    *sum += term;
  }

  V slope = {};
  bool is_moderate = true;
};

// A slope in double. The first root sets the scale for a second one, too: l2 and rms differ by less
// than a factor of 2^32.
template <typename Compute, int N>
struct SlopeTerm {
  using D = Vec<double, N>;

  // Adds g / (n * root).
  STATPOOL_ALWAYS_INLINE void Add(const D& g, double n, const D& root) {
    if constexpr (SlopeRows<Compute>::kScaled) {
      if (is_empty && !AllTrue<N>(core::IsCommonRoot(root))) {
        for (int i = 0; i < N; ++i) scale[i] = core::RootScale(root[i]);
      }
      value += core::RootSlope(D(g / n), D(root * scale));
    } else {
      value += core::RootSlope(g, D(n * root));
    }
    is_empty = false;
  }

  STATPOOL_ALWAYS_INLINE void Store(SlopeRows<Compute>* to, int64_t at) const {
    StoreRaw(value, to->value + at);
    if (SlopeRows<Compute>::kScaled) StoreRaw(scale, to->scale + at);
  }

  bool is_empty = true;
  D value = {};
  D scale = D{} + 1.0;
};

template <typename Compute, int N>
struct WideTerms : ExtremeTerms<Vec<double, N>> {
  using V = Vec<double, N>;

  STATPOOL_ALWAYS_INLINE void AddConstant(const V&, const V& term) { this->constant += term; }

  STATPOOL_ALWAYS_INLINE void AddSlope(const V& g, double n, const V& root) {
    slope.Add(g, n, root);
  }

  STATPOOL_ALWAYS_INLINE void AddCentral(const V& g, double n, const V& root, const V& of_mean,
                                         const V& rest) {
    central.Add(g, n, root);
    mean = of_mean + rest;
    mean_rest = rest - (mean - of_mean);
  }

  SlopeTerm<Compute, N> slope;
  SlopeTerm<Compute, N> central;
  V mean = {};
  V mean_rest = {};  // 0 but for float64
};

// ------------------------------------------------------------------------------------------------
// From sources to rows

// The saved fields of channels [c, c + N) in V.
template <int N, typename V, typename T>
struct SavedLanes {
  STATPOOL_ALWAYS_INLINE V At(core::SavedField field) const {
    return ToVector<V>(from.template Saved<N>(field, c));
  }
  auto Steps() const { return from.Steps(); }

  const GradientSources<T>& from;
  const int64_t c;
};

// Adds what the selected statistics contribute to channels [c, c + N).
template <int N, typename T, typename Terms>
STATPOOL_INLINE void AddStatistics(const GradientSources<T>& from, int64_t c, Terms* terms) {
  using V = typename Terms::V;
  const SavedLanes<N, V, T> saved = {from, c};
  for (int i = 0; i < from.statistics.size; ++i) {
    const V g = ToVector<V>(from.template Upstream<N>(i, c));
    core::AddGradient(from.statistics.items[i], g, saved, terms);
  }
}

template <int N, typename Terms, typename Compute>
STATPOOL_INLINE void StoreExtremes(const Terms& from, int64_t at, CoefficientRows<Compute>* to) {
  using V = Vec<Compute, N>;
  if (to->terms.max) {
    StoreRaw(ToVector<V>(from.max), to->max + at);
    StoreRaw(ToVector<V>(from.max_share), to->max_share + at);
  }
  if (to->terms.min) {
    StoreRaw(ToVector<V>(from.min), to->min + at);
    StoreRaw(ToVector<V>(from.min_share), to->min_share + at);
  }
}

// Returns false if float isn't precise enough for all channels. Not for std.
template <typename T>
bool FillNarrow(const GradientSources<T>& from, int64_t at, int64_t width,
                CoefficientRows<float>* to) {
  bool is_moderate = true;
  ForLanes<kLanes<float>>(width, [&](auto lanes, int64_t c) STATPOOL_ALWAYS_INLINE {
    constexpr int N = decltype(lanes)::value;
    NarrowTerms<N> sums;
    AddStatistics<N>(from, c, &sums);
    StoreRaw(sums.constant, to->constant_narrow + at + c);
    StoreRaw(sums.slope, to->slope_narrow + at + c);
    StoreExtremes<N>(sums, at + c, to);
    is_moderate &= sums.is_moderate;
  });
  return is_moderate;
}

template <typename T>
void FillWide(const GradientSources<T>& from, int64_t at, int64_t width,
              CoefficientRows<core::ComputeType<T>>* to) {
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t c) STATPOOL_ALWAYS_INLINE {
    constexpr int N = decltype(lanes)::value;
    WideTerms<core::ComputeType<T>, N> sums;
    AddStatistics<N>(from, c, &sums);
    StoreRaw(sums.constant, to->constant + at + c);
    sums.slope.Store(&to->slope, at + c);
    StoreExtremes<N>(sums, at + c, to);
    if (!to->terms.central) return;
    StoreRaw(sums.mean, to->mean + at + c);
    if (SlopeRows<core::ComputeType<T>>::kScaled) StoreRaw(sums.mean_rest, to->mean_rest + at + c);
    sums.central.Store(&to->central, at + c);
  });
}

// Writes the coefficients of a unit's channels, from lane `at` on.
template <typename T>
void FillCoefficients(const GradientArguments& a, const Unit& unit, int64_t at,
                      CoefficientRows<core::ComputeType<T>>* to) {
  const GradientSources<T> from(a, unit.b, unit.first_channel);
  to->terms = core::GradientTermsOf(a.problem.statistics);
  to->activation = a.activation;
  to->lane_mask = -1;
  to->is_narrow = false;
  to->is_deinterleaved = false;
  if constexpr (std::is_same_v<core::ComputeType<T>, float>) {
    to->is_narrow = !to->terms.central && FillNarrow(from, at, unit.channels, to);
  }
  if (!to->is_narrow) FillWide(from, at, unit.channels, to);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_GRADIENT_COEFFICIENTS_H_
