// The innermost step of the forward pass: N lanes of some rows of x enter the accumulators.
//
// Each lane sees the same operations in the same order whatever the vector width is, so every
// instruction set gives the same bits.
#ifndef STATPOOL_CPU_FORWARD_ACCUMULATE_LANES_H_
#define STATPOOL_CPU_FORWARD_ACCUMULATE_LANES_H_

#include <limits>

#include "cc/core/accumulators.h"
#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/simd/lane_tests.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// ------------------------------------------------------------------------------------------------
// Sums

// Sums kRows values per lane, and their squares, in double.
template <int N, int kRows, typename Sums, typename Accumulators>
STATPOOL_INLINE void AddWide(const Vec<typename Accumulators::Compute, N> (&v)[kRows], int64_t i,
                             const Sums& needed, Accumulators* accumulators) {
  constexpr int kPart = kDoubleLanes<N>;
  using D = Vec<double, kPart>;
  ForDoubleParts<N>(i, [&](auto part, int64_t at) STATPOOL_ALWAYS_INLINE {
    constexpr int kIndex = decltype(part)::value;
    const auto value = [&](int r) { return WidenPart<N, kIndex>(v[r]); };
    if (needed.sum) accumulators->sum.template Add<kPart>(core::PairwiseSum<kRows, D>(value), at);
    if (needed.squares) {
      const auto square = [&](int r) { return D(value(r) * value(r)); };
      accumulators->squares.template Add<kPart>(core::PairwiseSum<kRows, D>(square), at);
    }
  });
}

// Sums kRows values per lane in float, and adds these sums in double: half the work of AddWide.
// Lanes that leave the range are summed again in double.
template <int N, int kRows, typename Sums, typename Accumulators>
STATPOOL_INLINE void AddNarrow(const Vec<float, N> (&v)[kRows], const Vec<float, N>& squares,
                               bool in_range, int64_t i, const Sums& needed,
                               Accumulators* accumulators) {
  constexpr int kPart = kDoubleLanes<N>;
  using D = Vec<double, kPart>;
  const auto sum = core::PairwiseSum<kRows, Vec<float, N>>([&](int r) { return v[r]; });
  ForDoubleParts<N>(i, [&](auto part, int64_t at) STATPOOL_ALWAYS_INLINE {
    constexpr int kIndex = decltype(part)::value;
    D sums = WidenPart<N, kIndex>(sum);
    D powers = WidenPart<N, kIndex>(squares);
    if (__builtin_expect(!in_range, 0)) {
      const auto is_exact = core::IsInFloatRange(powers);
      const auto value = [&](int r) { return WidenPart<N, kIndex>(v[r]); };
      sums = is_exact ? sums : core::PairwiseSum<kRows, D>(value);
      const auto square = [&](int r) { return D(value(r) * value(r)); };
      powers = is_exact ? powers : core::PairwiseSum<kRows, D>(square);
    }
    if (needed.sum) accumulators->sum.template Add<kPart>(sums, at);
    if (needed.squares) accumulators->squares.template Add<kPart>(powers, at);
  });
}

// Joins the mean and the deviations of kRows values per lane to those of the `before` rows before
// them, in double. `sum` doesn't hold these values yet.
template <int N, int kRows, typename Accumulators>
STATPOOL_INLINE void AddCentral(const Vec<typename Accumulators::Compute, N> (&v)[kRows], int64_t i,
                                int64_t before, Accumulators* accumulators) {
  const double per_row = before == 0 ? 0 : 1.0 / static_cast<double>(before);
  const double weight = core::DistanceWeight(kRows, before);
  constexpr int kPart = kDoubleLanes<N>;
  using D = Vec<double, kPart>;
  ForDoubleParts<N>(i, [&](auto part, int64_t at) STATPOOL_ALWAYS_INLINE {
    constexpr int kIndex = decltype(part)::value;
    const auto value = [&](int r) { return WidenPart<N, kIndex>(v[r]); };
    const D chunk_total = core::PairwiseSum<kRows, D>(value);
    const D chunk_mean = chunk_total * (1.0 / kRows);
    const D distance = chunk_mean - accumulators->template Total<kPart>(at) * per_row;
    const auto deviation = [&](int r) { return D(value(r) - chunk_mean); };
    const auto square = [&](int r) { return D(deviation(r) * deviation(r)); };
    const D deviations = core::PairwiseSum<kRows, D>(square);
    accumulators->deviations.template Add<kPart>(deviations + distance * distance * weight, at);
    D unrounded = chunk_total;
    if constexpr (Accumulators::Sum::kCompensated) {
      // Their exact sum is 0 but for what rounding took from chunk_total, because dividing by a
      // power of two is exact.
      static_assert((kRows & (kRows - 1)) == 0);
      unrounded = core::PairwiseSum<kRows, D>(deviation);
    }
    StoreRaw(D(LoadRaw<D>(accumulators->unrounded + at) + unrounded), accumulators->unrounded + at);
  });
}

// ------------------------------------------------------------------------------------------------
// Extremes

// Joins kRows values per lane to the running extreme and its count. NaN wins and stays: the sum of
// squares tells which lanes have one, because squares never cancel.
template <int N, int kRows, typename Compute, typename Best>
STATPOOL_INLINE void UpdateExtreme(const Vec<Compute, N> (&v)[kRows], bool has_nan,
                                   const Vec<Compute, N>& squares, Compute* extreme,
                                   LaneCount<Compute>* counts, const Best& better) {
  using V = Vec<Compute, N>;
  using K = Vec<LaneCount<Compute>, N>;
  const V old = LoadRaw<V>(extreme);
  V best = old;
  for (int r = 0; r < kRows; ++r) best = better(v[r], best);
  if (__builtin_expect(has_nan, 0)) {
    best = (squares != squares) ? V{} + std::numeric_limits<Compute>::quiet_NaN() : best;
  }
  const K count = (old == best) ? LoadRaw<K>(counts) : K{};
  StoreRaw(best, extreme);
  StoreRaw(CountEqual<N, LaneCount<Compute>>(v, best, count), counts);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_ACCUMULATE_LANES_H_
