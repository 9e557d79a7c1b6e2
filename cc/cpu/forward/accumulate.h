// The loops that feed the accumulators, eight rows at a time and the last ones by four, two and
// one.
#ifndef STATPOOL_CPU_FORWARD_ACCUMULATE_H_
#define STATPOOL_CPU_FORWARD_ACCUMULATE_H_

#include "cc/cpu/forward/accumulate_lanes.h"
#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/simd/lane_tests.h"
#include "cc/cpu/simd/rows.h"
#include "cc/cpu/simd/storage.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Adds elements [from, from + N) of kRows rows to lanes [to, to + N).
template <typename T, int N, int kRows, typename Rows, typename Sums, typename Accumulators>
STATPOOL_INLINE void AccumulateLanes(const Rows& rows, int64_t from, int64_t to, const Sums& needed,
                                     int64_t rows_before, Accumulators* accumulators) {
  using Compute = typename Accumulators::Compute;
  using V = Vec<Compute, N>;
  if constexpr (kRows > 1) rows.template Prefetch<N, kRows>(from);
  V v[kRows];
  for (int r = 0; r < kRows; ++r) v[r] = Load<N>(rows[r] + from);
  const V squares = core::PairwiseSum<kRows, V>([&](int r) { return V(v[r] * v[r]); });
  if (needed.central) AddCentral<N, kRows>(v, to, rows_before, accumulators);
  bool has_nan;
  if constexpr (kRows > 1 && std::is_same_v<Compute, float>) {
    // float16 values, except NaN, never leave the range; a value inside it is not NaN.
    constexpr bool kIsFloat16 = std::is_same_v<T, core::Float16>;
    const bool in_range = kIsFloat16 ||
                          AllWithin<N>(squares, core::kFloatRangeLow, core::kFloatRangeHigh) ||
                          AllZero<N>(v);
    has_nan = kIsFloat16 ? AnyNan<N>(squares) : !in_range;
    AddNarrow<N>(v, squares, in_range, to, needed, accumulators);
  } else {
    has_nan = AnyNan<N>(squares);
    AddWide<N, kRows>(v, to, needed, accumulators);
  }
  if (needed.max) {
    UpdateExtreme<N>(v, has_nan, squares, accumulators->max + to, accumulators->max_count + to,
                     [](const V& a, const V& b) { return Larger<N>(a, b); });
  }
  if (needed.min) {
    UpdateExtreme<N>(v, has_nan, squares, accumulators->min + to, accumulators->min_count + to,
                     [](const V& a, const V& b) { return Smaller<N>(a, b); });
  }
}

// Elements of a row, and whether the last vector, if they don't fill it, overlaps the one before
// it: a whole vector costs less than its parts. It has lanes of its own, of which RemoveOverlap
// keeps the last when all rows are added.
struct RowWidth {
  int64_t elements;
  bool overlaps;
};

template <typename T, int kRows, typename Rows, typename Sums, typename Accumulators>
STATPOOL_INLINE void AccumulateChunk(const Rows& rows, const RowWidth& width, int64_t rows_before,
                                     const Sums& needed, Accumulators* accumulators) {
  constexpr int N = kLanes<typename Accumulators::Compute>;
  const auto add = [&](auto lanes, int64_t from, int64_t to) STATPOOL_ALWAYS_INLINE {
    AccumulateLanes<T, decltype(lanes)::value, kRows>(rows, from, to, needed, rows_before,
                                                      accumulators);
  };
  const int64_t whole = width.elements / N * N;
  for (int64_t i = 0; i < whole; i += N) add(std::integral_constant<int, N>(), i, i);
  if (whole == width.elements) return;
  if (width.overlaps) return add(std::integral_constant<int, N>(), width.elements - N, whole);
  ForLanes<N / 2>(
      width.elements, [&](auto lanes, int64_t i) STATPOOL_ALWAYS_INLINE { add(lanes, i, i); },
      whole);
}

// Adds kRows rows at a time, and the rest by half as many.
template <typename T, int kRows, typename Rows, typename Sums, typename Accumulators>
STATPOOL_INLINE void AccumulateRowsBy(const Rows& rows, int64_t count, const RowWidth& width,
                                      int64_t rows_before, const Sums& needed,
                                      Accumulators* accumulators) {
  int64_t done = 0;
  for (; done + kRows <= count; done += kRows) {
    AccumulateChunk<T, kRows>(rows + done, width, rows_before + done, needed, accumulators);
  }
  if constexpr (kRows > 1) {
    if (done == count) return;
    AccumulateRowsBy<T, kRows / 2>(rows + done, count - done, width, rows_before + done, needed,
                                   accumulators);
  }
}

template <typename T, typename Rows, typename Accumulators>
void AccumulateRows(const Rows& rows, int64_t count, const RowWidth& width, int64_t rows_before,
                    const core::NeededSums& needed, Accumulators* accumulators) {
  core::WithKnown<core::DefaultSums>(needed, [&](const auto& known) {
    AccumulateRowsBy<T, kChunkRows>(rows, count, width, rows_before, known, accumulators);
  });
}

// Moves the lanes of an overlapping last vector to where they belong.
template <typename Accumulators>
void RemoveOverlap(const RowWidth& width, const core::NeededSums& needed,
                   Accumulators* accumulators) {
  if (!width.overlaps) return;
  constexpr int N = kLanes<typename Accumulators::Compute>;
  const int64_t rest = width.elements % N;
  const int64_t whole = width.elements - rest;
  ForEachRow(
      needed, [&](auto* row) { std::copy_n(row + whole + N - rest, rest, row + whole); },
      accumulators);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_ACCUMULATE_H_
