// The loops that feed a tile, eight rows at a time.
//
// Each lane sees the same operations in the same order whatever the vector width is, so every
// instruction set gives the same bits.
#ifndef STATPOOL_CPU_ACCUMULATE_H_
#define STATPOOL_CPU_ACCUMULATE_H_

#include <limits>

#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

constexpr int kChunkRows = 8;

// term(first) + ... + term(first + kTerms - 1), by pairs: an error of log2(kTerms) roundings.
template <int kTerms, typename V, typename Term>
STATPOOL_INLINE V PairwiseSum(const Term& term, int first = 0) {
  if constexpr (kTerms == 1) {
    return term(first);
  } else {
    return PairwiseSum<kTerms / 2, V>(term, first) +
           PairwiseSum<kTerms / 2, V>(term, first + kTerms / 2);
  }
}

// ------------------------------------------------------------------------------------------------
// Sums

// Sums kRows values a lane, and their squares, in double.
template <int N, int kRows, typename Needs, typename Compute>
STATPOOL_INLINE void AddWide(const Vec<Compute, N> (&v)[kRows], int64_t i, const Needs& needs,
                             Tile<Compute>* tile) {
  constexpr int kPart = std::min(N, kLanes<double>);
  using D = Vec<double, kPart>;
  ForParts<N / kPart>([&](auto part) __attribute__((always_inline)) {
    constexpr int kIndex = decltype(part)::value;
    const int64_t at = i + kIndex * kPart;
    const auto value = [&](int r) { return WidenPart<N, kIndex>(v[r]); };
    if (needs.sum) tile->sum.template Add<kPart>(PairwiseSum<kRows, D>(value), at);
    if (needs.squares) {
      const auto square = [&](int r) { return D(value(r) * value(r)); };
      tile->squares.template Add<kPart>(PairwiseSum<kRows, D>(square), at);
    }
  });
}

// A sum of kChunkRows squares in float lies within the contract's bounds if it lies between these:
// below, terms may have vanished, and above, a sum of the values themselves may overflow.
constexpr float kLeastPower = 0x1p-110f;
constexpr float kMostPower = 0x1p127f;

// Sums kChunkRows values a lane in float, and only what they come to in double: half the work of
// AddWide. Lanes that leave the range are summed again in double; float16 never does.
template <typename T, int N, typename Needs>
STATPOOL_INLINE void AddNarrow(const Vec<float, N> (&v)[kChunkRows], const Vec<float, N>& squares,
                               int64_t i, const Needs& needs, Tile<float>* tile) {
  constexpr int kPart = std::min(N, kLanes<double>);
  using D = Vec<double, kPart>;
  const auto sum = PairwiseSum<kChunkRows, Vec<float, N>>([&](int r) { return v[r]; });
  const bool in_range = std::is_same_v<T, core::Float16> ||
                        AllTrue<N>((squares >= kLeastPower) & (squares < kMostPower)) ||
                        AllZero<N>(v);
  ForParts<N / kPart>([&](auto part) __attribute__((always_inline)) {
    constexpr int kIndex = decltype(part)::value;
    const int64_t at = i + kIndex * kPart;
    D sums = WidenPart<N, kIndex>(sum);
    D powers = WidenPart<N, kIndex>(squares);
    if (__builtin_expect(!in_range, 0)) {
      const auto is_exact = (powers >= kLeastPower) & (powers < kMostPower);
      const auto value = [&](int r) { return WidenPart<N, kIndex>(v[r]); };
      sums = is_exact ? sums : PairwiseSum<kChunkRows, D>(value);
      powers = is_exact ? powers
                        : PairwiseSum<kChunkRows, D>([&](int r) { return D(value(r) * value(r)); });
    }
    if (needs.sum) tile->sum.template Add<kPart>(sums, at);
    if (needs.squares) tile->squares.template Add<kPart>(powers, at);
  });
}

// Joins the mean and the deviations of kRows values a lane to those of the `before` rows before, in
// double.
template <int N, int kRows, typename Compute>
STATPOOL_INLINE void AddCentral(const Vec<Compute, N> (&v)[kRows], int64_t i, int64_t before,
                                Tile<Compute>* tile) {
  const double per_row = before == 0 ? 0 : 1.0 / static_cast<double>(before);
  const double weight = core::DistanceWeight(kRows, before);
  constexpr int kPart = std::min(N, kLanes<double>);
  using D = Vec<double, kPart>;
  ForParts<N / kPart>([&](auto part) __attribute__((always_inline)) {
    constexpr int kIndex = decltype(part)::value;
    const int64_t at = i + kIndex * kPart;
    const auto value = [&](int r) { return WidenPart<N, kIndex>(v[r]); };
    const D chunk_total = PairwiseSum<kRows, D>(value);
    const D chunk_mean = chunk_total * (1.0 / kRows);
    const D total = LoadRaw<D>(tile->total + at);
    const D distance = chunk_mean - total * per_row;
    const auto square = [&](int r) {
      const D deviation = value(r) - chunk_mean;
      return D(deviation * deviation);
    };
    const D deviations = PairwiseSum<kRows, D>(square);
    tile->deviations.template Add<kPart>(deviations + distance * distance * weight, at);
    StoreRaw(D(total + chunk_total), tile->total + at);
  });
}

// ------------------------------------------------------------------------------------------------
// Extremes

// Joins kRows values a lane to the running extreme and its count. NaN wins and stays.
template <int N, int kRows, typename Compute, typename Mask, typename Best>
STATPOOL_INLINE void UpdateExtreme(const Vec<Compute, N> (&v)[kRows], const Mask& is_nan,
                                   Compute* extreme, LaneCount<Compute>* counts,
                                   const Best& better) {
  using V = Vec<Compute, N>;
  using K = Vec<LaneCount<Compute>, N>;
  const V old = LoadRaw<V>(extreme);
  V best = old;
  for (int r = 0; r < kRows; ++r) best = better(v[r], best);
  best = is_nan ? V{} + std::numeric_limits<Compute>::quiet_NaN() : best;
  K count = (old == best) ? LoadRaw<K>(counts) : K{};
  // A true lane is -1.
  count -= PairwiseSum<kRows, K>([&](int r) { return K(v[r] == best); });
  StoreRaw(best, extreme);
  StoreRaw(count, counts);
}

// ------------------------------------------------------------------------------------------------
// Rows

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
  for (int r = 0; r < kRows; ++r) __builtin_prefetch(rows[r] + i + distance);
}

// Adds N lanes of kRows rows.
template <int N, int kRows, typename Needs, typename T, typename Compute>
STATPOOL_INLINE void AccumulateLanes(const T* const* rows, int64_t i, const Needs& needs,
                                     int64_t rows_before, int64_t next_chunk, Tile<Compute>* tile) {
  using V = Vec<Compute, N>;
  if constexpr (kRows > 1) PrefetchRows<N, kRows>(rows, i, next_chunk);
  V v[kRows];
  for (int r = 0; r < kRows; ++r) v[r] = Load<N>(rows[r] + i);
  const V squares = PairwiseSum<kRows, V>([&](int r) { return V(v[r] * v[r]); });
  if constexpr (kRows == kChunkRows && std::is_same_v<Compute, float>) {
    AddNarrow<T, N>(v, squares, i, needs, tile);
  } else {
    AddWide<N, kRows>(v, i, needs, tile);
  }
  if (needs.central) AddCentral<N, kRows>(v, i, rows_before, tile);
  const auto is_nan = squares != squares;  // and only then: squares never cancel
  if (needs.max) {
    UpdateExtreme<N, kRows>(v, is_nan, tile->max + i, tile->max_count + i,
                            [](const V& a, const V& b) { return Larger<N>(a, b); });
  }
  if (needs.min) {
    UpdateExtreme<N, kRows>(v, is_nan, tile->min + i, tile->min_count + i,
                            [](const V& a, const V& b) { return Smaller<N>(a, b); });
  }
}

template <int kRows, typename Needs, typename T, typename Compute>
STATPOOL_INLINE void AccumulateChunk(const T* const* rows, int64_t width, int64_t rows_before,
                                     const Needs& needs, Tile<Compute>* tile) {
  const int64_t next_chunk = ChunkDistance<kRows>(rows);
  ForLanes<kLanes<Compute>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    AccumulateLanes<decltype(lanes)::value, kRows>(rows, i, needs, rows_before, next_chunk, tile);
  });
}

template <typename Needs, typename T, typename Compute>
STATPOOL_INLINE void AccumulateRowsOf(const T* const* rows, int64_t count, int64_t width,
                                      int64_t rows_before, const Needs& needs,
                                      Tile<Compute>* tile) {
  if (count == kChunkRows) {
    return AccumulateChunk<kChunkRows>(rows, width, rows_before, needs, tile);
  }
  for (int64_t r = 0; r < count; ++r) {
    AccumulateChunk<1>(rows + r, width, rows_before + r, needs, tile);
  }
}

// Adds `count` <= kChunkRows rows: all eight at once, or one by one.
template <typename T, typename Compute>
void AccumulateRows(const T* const* rows, int64_t count, int64_t width, int64_t rows_before,
                    const core::Needs& needs, Tile<Compute>* tile) {
  if (core::AreDefault(needs)) {
    AccumulateRowsOf(rows, count, width, rows_before, core::DefaultNeeds(), tile);
  } else {
    AccumulateRowsOf(rows, count, width, rows_before, needs, tile);
  }
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_ACCUMULATE_H_
