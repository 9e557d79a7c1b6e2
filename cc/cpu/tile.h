// Accumulators of up to kTileLanes columns, and the loops that feed them eight rows at a time.
//
// A lane is a channel; where a channel's steps are spread over several lanes, cc/cpu/columns.h
// joins them. Each lane sees the same operations in the same order whatever the vector width is, so
// every instruction set gives the same bits.
#ifndef STATPOOL_CPU_TILE_H_
#define STATPOOL_CPU_TILE_H_

#include <algorithm>
#include <limits>

#include "cc/core/accumulators.h"
#include "cc/cpu/simd.h"

namespace statpool {
namespace cpu {
namespace {

constexpr int kTileLanes = 512;
constexpr int kChunkRows = 8;

// Sums of a tile. Squares of narrower types are exact in double and 2^31 of them lose less than the
// contract allows, so only double input carries the error terms (core::AddCompensated).
template <typename Compute>
struct TileSum {
  static constexpr bool kCompensated = std::is_same_v<Compute, double>;
  alignas(64) double value[kTileLanes];
  alignas(64) double error[kCompensated ? kTileLanes : 1];

  void Clear(int64_t lanes) {
    std::fill_n(value, lanes, 0.0);
    if (kCompensated) std::fill_n(error, lanes, 0.0);
  }

  template <int N>
  __attribute__((always_inline)) void Add(const Vec<double, N>& term, int64_t i) {
    const auto old = LoadRaw<Vec<double, N>>(value + i);
    const Vec<double, N> total = old + term;
    if constexpr (kCompensated) {
      const Vec<double, N> of_term = total - old;
      const auto lost = (old - (total - of_term)) + (term - of_term);
      StoreRaw(LoadRaw<Vec<double, N>>(error + i) + lost, error + i);
    }
    StoreRaw(total, value + i);
  }
};

template <typename Compute>
struct Tile {
  using Count = std::conditional_t<std::is_same_v<Compute, double>, int64_t, int32_t>;

  TileSum<Compute> sum;
  TileSum<Compute> squares;
  TileSum<Compute> deviations;
  alignas(64) double mean[kTileLanes];
  alignas(64) Compute max[kTileLanes];
  alignas(64) Compute min[kTileLanes];
  alignas(64) Count max_count[kTileLanes];
  alignas(64) Count min_count[kTileLanes];

  void Clear(const core::Needs& needs, int64_t lanes) {
    constexpr Compute kInfinity = std::numeric_limits<Compute>::infinity();
    if (needs.sum) sum.Clear(lanes);
    if (needs.squares) squares.Clear(lanes);
    if (needs.central) {
      deviations.Clear(lanes);
      std::fill_n(mean, lanes, 0.0);
    }
    if (needs.max) {
      std::fill_n(max, lanes, -kInfinity);
      std::fill_n(max_count, lanes, 0);
    }
    if (needs.min) {
      std::fill_n(min, lanes, kInfinity);
      std::fill_n(min_count, lanes, 0);
    }
  }
};

// Joins kRows values a lane to the running extreme and its count. NaN wins and stays.
template <int N, int kRows, typename V, typename Compute, typename Count, typename Beats>
STATPOOL_INLINE void UpdateExtreme(const V (&v)[kRows], Compute* extreme, Count* counts,
                                   const Beats& beats) {
  using C = Vec<Count, N>;
  const V old = LoadRaw<V>(extreme);
  V best = old;
  C is_nan = {};
  for (int r = 0; r < kRows; ++r) {
    best = beats(v[r], best) ? v[r] : best;
    is_nan |= v[r] != v[r];
  }
  best = is_nan ? V{} + std::numeric_limits<Compute>::quiet_NaN() : best;
  C count = (old == best) ? LoadRaw<C>(counts) : C{};
  for (int r = 0; r < kRows; ++r) count -= (v[r] == best);  // a true lane is -1
  StoreRaw(best, extreme);
  StoreRaw(count, counts);
}

// term(first) + ... + term(first + kTerms - 1), by pairs: an error of log2(kTerms) roundings.
template <int kTerms, typename D, typename Term>
STATPOOL_INLINE D PairwiseSum(const Term& term, int first = 0) {
  if constexpr (kTerms == 1) {
    return term(first);
  } else {
    return PairwiseSum<kTerms / 2, D>(term, first) +
           PairwiseSum<kTerms / 2, D>(term, first + kTerms / 2);
  }
}

// The sums of kRows rows and of their squares, which share the conversion to double. Where double
// is wider than the values, the order makes no difference that matters, and one row after the
// other needs the fewest registers.
template <typename Compute, int kRows, typename D, typename Value>
STATPOOL_INLINE void SumRows(const Value& value, D* sum, D* squares) {
  if constexpr (std::is_same_v<Compute, double>) {
    *sum = PairwiseSum<kRows, D>(value);
    *squares = PairwiseSum<kRows, D>([&](int r) { return D(value(r) * value(r)); });
  } else {
    *sum = value(0);
    *squares = *sum * *sum;
    for (int r = 1; r < kRows; ++r) {
      const D d = value(r);
      *sum += d;
      *squares += d * d;
    }
  }
}

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

// Adds N lanes of kRows rows to the sums, which fill whole registers of doubles.
template <int N, int kRows, typename T, typename Compute>
STATPOOL_INLINE void AccumulateSums(const T* const* rows, int64_t i, const core::Needs& needs,
                                    const core::JoinWeights& weights, Tile<Compute>* tile) {
  using D = Vec<double, N>;
  const auto value = [&](int r)
                         __attribute__((always_inline)) { return Widen<N>(Load<N>(rows[r] + i)); };
  D sum, squares;
  SumRows<Compute, kRows>(value, &sum, &squares);
  if (needs.sum) tile->sum.template Add<N>(sum, i);
  if (needs.squares) tile->squares.template Add<N>(squares, i);
  if (!needs.central) return;
  const D chunk_mean = sum * (1.0 / kRows);
  const D mean = LoadRaw<D>(tile->mean + i);
  const D distance = chunk_mean - mean;
  StoreRaw(D(mean + distance * weights.mean), tile->mean + i);
  D deviations;
  SumRows<Compute, kRows>([&](int r)
                              __attribute__((always_inline)) { return D(value(r) - chunk_mean); },
                          &sum, &deviations);
  tile->deviations.template Add<N>(deviations + distance * distance * weights.deviations, i);
}

// Adds N lanes of kRows rows to the extremes, which fill whole registers of the compute type.
template <int N, int kRows, typename T, typename Compute>
STATPOOL_INLINE void AccumulateExtremes(const T* const* rows, int64_t i, const core::Needs& needs,
                                        Tile<Compute>* tile) {
  Vec<Compute, N> v[kRows];
  for (int r = 0; r < kRows; ++r) v[r] = Load<N>(rows[r] + i);
  if (needs.max) {
    UpdateExtreme<N>(v, tile->max + i, tile->max_count + i,
                     [](const auto& a, const auto& b) { return a > b; });
  }
  if (needs.min) {
    UpdateExtreme<N>(v, tile->min + i, tile->min_count + i,
                     [](const auto& a, const auto& b) { return a < b; });
  }
}

// Adds N lanes of kRows rows: memory is read by the first use, the others find it in L1.
template <int N, int kRows, typename T, typename Compute>
STATPOOL_INLINE void AccumulateLanes(const T* const* rows, int64_t i, const core::Needs& needs,
                                     const core::JoinWeights& weights, int64_t next_chunk,
                                     Tile<Compute>* tile) {
  constexpr int kPart = std::min(N, kLanes<double>);
  if constexpr (kRows > 1) PrefetchRows<N, kRows>(rows, i, next_chunk);
  if (needs.sum || needs.squares || needs.central) {
    for (int part = 0; part < N; part += kPart) {
      AccumulateSums<kPart, kRows>(rows, i + part, needs, weights, tile);
    }
  }
  if (needs.max || needs.min) AccumulateExtremes<N, kRows>(rows, i, needs, tile);
}

template <int kRows, typename T, typename Compute>
STATPOOL_INLINE void AccumulateChunk(const T* const* rows, int64_t width, int64_t rows_before,
                                     const core::Needs& needs, Tile<Compute>* tile) {
  const core::JoinWeights weights = core::JoinWeightsOf(kRows, rows_before);
  const int64_t next_chunk = ChunkDistance<kRows>(rows);
  ForLanes<kLanes<Compute>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    AccumulateLanes<decltype(lanes)::value, kRows>(rows, i, needs, weights, next_chunk, tile);
  });
}

// Adds `count` <= kChunkRows rows: all eight at once, or one by one.
template <typename T, typename Compute>
void AccumulateRows(const T* const* rows, int64_t count, int64_t width, int64_t rows_before,
                    const core::Needs& needs, Tile<Compute>* tile) {
  if (count == kChunkRows) {
    return AccumulateChunk<kChunkRows>(rows, width, rows_before, needs, tile);
  }
  for (int64_t r = 0; r < count; ++r) {
    AccumulateChunk<1>(rows + r, width, rows_before + r, needs, tile);
  }
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_TILE_H_
