// The loops that feed the accumulators, eight rows at a time and the last ones by four, two and
// one.
#ifndef STATPOOL_CPU_ACCUMULATE_H_
#define STATPOOL_CPU_ACCUMULATE_H_

#include "cc/cpu/accumulate_lanes.h"
#include "cc/cpu/accumulator_rows.h"
#include "cc/cpu/storage.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

constexpr int kChunkRows = 8;

// Elements from a chunk of evenly spaced rows to the next one; a guess where a mask skips rows.
template <int kRows, typename T>
STATPOOL_INLINE int64_t ChunkDistance(const T* const* rows) {
  return kRows > 1 ? rows[kRows - 1] - rows[0] + (rows[kRows > 1] - rows[0]) : 0;
}

// Asks for the same lanes of the rows `distance` elements on. A chunk is read by columns, an order
// that the hardware's own prefetchers don't foresee.
template <int N, int kRows, typename T>
STATPOOL_INLINE void PrefetchRows(const T* const* rows, int64_t i, int64_t distance) {
  constexpr int64_t kLine = 64 / sizeof(T);
  if (i % kLine >= N) return;  // an earlier vector of this line has asked
  for (int r = 0; r < kRows; ++r) {
    // After the last chunk that is no address of the array, so it isn't computed as one.
    const uintptr_t ahead = reinterpret_cast<uintptr_t>(rows[r] + i) + distance * sizeof(T);
    __builtin_prefetch(reinterpret_cast<const void*>(ahead));
  }
}

// Adds N lanes of kRows rows, from element `from` on, to lanes [to, to + N).
template <int N, int kRows, typename Sums, typename T, typename Accumulators>
STATPOOL_INLINE void AccumulateLanes(const T* const* rows, int64_t from, int64_t to,
                                     const Sums& needed, int64_t rows_before, int64_t next_chunk,
                                     Accumulators* accumulators) {
  using Compute = typename Accumulators::Compute;
  using V = Vec<Compute, N>;
  if constexpr (kRows > 1) PrefetchRows<N, kRows>(rows, from, next_chunk);
  V v[kRows];
  for (int r = 0; r < kRows; ++r) v[r] = Load<N>(rows[r] + from);
  const V squares = core::PairwiseSum<kRows, V>([&](int r) { return V(v[r] * v[r]); });
  if constexpr (kRows > 1 && std::is_same_v<Compute, float>) {
    AddNarrow<T, N>(v, squares, to, needed, accumulators);
  } else {
    AddWide<N, kRows>(v, to, needed, accumulators);
  }
  if (needed.central) AddCentral<N, kRows>(v, to, rows_before, accumulators);
  const auto is_nan = squares != squares;  // and only then: squares never cancel
  if (needed.max) {
    UpdateExtreme<N, kRows>(v, is_nan, accumulators->max + to, accumulators->max_count + to,
                            [](const V& a, const V& b) { return Larger<N>(a, b); });
  }
  if (needed.min) {
    UpdateExtreme<N, kRows>(v, is_nan, accumulators->min + to, accumulators->min_count + to,
                            [](const V& a, const V& b) { return Smaller<N>(a, b); });
  }
}

// Elements of a row, and whether the last vector, where they fill no whole one, begins before them:
// one vector costs less than its parts. Its lanes follow those of the vector before, and have to
// move down when all is added (RemoveOverlap).
struct RowWidth {
  int64_t elements;
  bool overlaps;
};

template <int kRows, typename Sums, typename T, typename Accumulators>
STATPOOL_INLINE void AccumulateChunk(const T* const* rows, const RowWidth& width,
                                     int64_t rows_before, const Sums& needed,
                                     Accumulators* accumulators) {
  constexpr int N = kLanes<typename Accumulators::Compute>;
  const int64_t next_chunk = ChunkDistance<kRows>(rows);
  const auto add = [&](auto lanes, int64_t from, int64_t to) __attribute__((always_inline)) {
    AccumulateLanes<decltype(lanes)::value, kRows>(rows, from, to, needed, rows_before, next_chunk,
                                                   accumulators);
  };
  const int64_t whole = width.elements / N * N;
  for (int64_t i = 0; i < whole; i += N) add(std::integral_constant<int, N>(), i, i);
  if (whole == width.elements) return;
  if (width.overlaps) return add(std::integral_constant<int, N>(), width.elements - N, whole);
  ForLanes<N / 2>(
      width.elements,
      [&](auto lanes, int64_t i) __attribute__((always_inline)) { add(lanes, i, i); }, whole);
}

// The binary digits of `count` < 2 * kRows, from the largest.
template <int kRows, typename Sums, typename T, typename Accumulators>
STATPOOL_INLINE void AccumulateRowsOf(const T* const* rows, int64_t count, const RowWidth& width,
                                      int64_t rows_before, const Sums& needed,
                                      Accumulators* accumulators) {
  if (count & kRows) {
    AccumulateChunk<kRows>(rows, width, rows_before, needed, accumulators);
    rows += kRows;
    rows_before += kRows;
  }
  if constexpr (kRows > 1) {
    if (count % kRows != 0) {
      AccumulateRowsOf<kRows / 2>(rows, count % kRows, width, rows_before, needed, accumulators);
    }
  }
}

// Adds `count` <= kChunkRows rows.
template <typename T, typename Accumulators>
void AccumulateRows(const T* const* rows, int64_t count, const RowWidth& width, int64_t rows_before,
                    const core::NeededSums& needed, Accumulators* accumulators) {
  if (core::AreDefault(needed)) {
    AccumulateRowsOf<kChunkRows>(rows, count, width, rows_before, core::DefaultSums(),
                                 accumulators);
  } else {
    AccumulateRowsOf<kChunkRows>(rows, count, width, rows_before, needed, accumulators);
  }
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

#endif  // STATPOOL_CPU_ACCUMULATE_H_
