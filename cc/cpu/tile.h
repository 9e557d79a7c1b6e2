// Accumulators of up to kTileLanes columns, and the loops that feed them eight rows at a time.
//
// A column ("lane") is a channel; where a channel's steps are spread over several lanes, they are
// joined at the end. Each lane sees the same operations in the same order whatever the vector
// width is, so every instruction set gives the same bits.
#ifndef STATPOOL_CPU_TILE_H_
#define STATPOOL_CPU_TILE_H_

#include <algorithm>
#include <limits>

#include "cc/core/moments.h"
#include "cc/cpu/simd.h"

namespace statpool {
namespace cpu {
namespace {

constexpr int kTileLanes = 512;
constexpr int kChunkRows = 8;

// As core::CompensatedSum, for a tile. Squares of narrower types are exact in double and 2^31 of
// them lose less than the contract allows, so only double input carries the error terms.
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

  core::CompensatedSum Lane(int64_t i) const { return {value[i], kCompensated ? error[i] : 0.0}; }
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

  core::Moments Lane(const core::Needs& needs, int64_t i, int64_t count) const {
    core::Moments m = core::IdentityMoments();
    m.count = count;
    if (needs.sum) m.sum = sum.Lane(i);
    if (needs.squares) m.squares = squares.Lane(i);
    if (needs.central) {
      m.mean = mean[i];
      m.deviations = deviations.Lane(i);
    }
    if (needs.max) {
      m.max = static_cast<double>(max[i]);
      m.max_count = max_count[i];
    }
    if (needs.min) {
      m.min = static_cast<double>(min[i]);
      m.min_count = min_count[i];
    }
    return m;
  }
};

// Joins kRows values a lane to the running extreme and its count. NaN wins and stays.
template <int N, int kRows, typename V, typename Compute, typename Count, typename Beats>
STATPOOL_INLINE void UpdateExtreme(const V (&v)[kRows], Compute* extreme, Count* counts,
                                   const Beats& beats) {
  const V old = LoadRaw<V>(extreme);
  V best = old;
  for (int r = 0; r < kRows; ++r) best = (beats(v[r], best) | (v[r] != v[r])) ? v[r] : best;
  using C = Vec<Count, N>;
  C count = (old == best) ? LoadRaw<C>(counts) : C{};
  for (int r = 0; r < kRows; ++r) count -= (v[r] == best);  // a true lane is -1
  StoreRaw(best, extreme);
  StoreRaw(count, counts);
}

// How a chunk of rows joins the running mean: weights of the distance between the two means.
struct ChunkWeights {
  double mean;
  double deviations;
};

STATPOOL_INLINE ChunkWeights WeightsOf(int64_t rows, int64_t rows_before) {
  const double share = static_cast<double>(rows) / static_cast<double>(rows + rows_before);
  return {share, static_cast<double>(rows_before) * share};
}

// term(first) + ... + term(first + kTerms - 1), by pairs: an error of log2(kTerms) roundings.
template <int kTerms, typename Term>
STATPOOL_INLINE auto TreeSum(const Term& term, int first = 0) {
  if constexpr (kTerms == 1) {
    return term(first);
  } else {
    return TreeSum<kTerms / 2>(term, first) + TreeSum<kTerms / 2>(term, first + kTerms / 2);
  }
}

// Adds N lanes of kRows rows to the tile: each value is loaded once and used by every statistic.
template <int N, int kRows, typename T, typename Compute>
STATPOOL_INLINE void AccumulateLanes(const T* const* rows, int64_t i, const core::Needs& needs,
                                     const ChunkWeights& weights, Tile<Compute>* tile) {
  using D = Vec<double, N>;
  Vec<Compute, N> v[kRows];
  for (int r = 0; r < kRows; ++r) v[r] = Load<N>(rows[r] + i);
  D sum = {};
  if (needs.sum || needs.central) {
    sum = TreeSum<kRows>([&](int r) { return Convert<double, N>(v[r]); });
  }
  if (needs.sum) tile->sum.template Add<N>(sum, i);
  if (needs.squares) {
    const auto square = [&](int r) {
      const D d = Convert<double, N>(v[r]);
      return d * d;
    };
    tile->squares.template Add<N>(TreeSum<kRows>(square), i);
  }
  if (needs.central) {
    const D chunk_mean = sum * (1.0 / kRows);
    const auto deviation = [&](int r) {
      const D d = Convert<double, N>(v[r]) - chunk_mean;
      return d * d;
    };
    const D mean = LoadRaw<D>(tile->mean + i);
    const D distance = chunk_mean - mean;
    StoreRaw(D(mean + distance * weights.mean), tile->mean + i);
    tile->deviations.template Add<N>(
        TreeSum<kRows>(deviation) + distance * distance * weights.deviations, i);
  }
  if (needs.max) {
    UpdateExtreme<N>(v, tile->max + i, tile->max_count + i,
                     [](const auto& a, const auto& b) { return a > b; });
  }
  if (needs.min) {
    UpdateExtreme<N>(v, tile->min + i, tile->min_count + i,
                     [](const auto& a, const auto& b) { return a < b; });
  }
}

template <int kRows, typename T, typename Compute>
STATPOOL_INLINE void AccumulateChunk(const T* const* rows, int64_t width, int64_t rows_before,
                                     const core::Needs& needs, Tile<Compute>* tile) {
  const ChunkWeights weights = WeightsOf(kRows, rows_before);
  ForLanes<kLanes<Compute>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    AccumulateLanes<decltype(lanes)::value, kRows>(rows, i, needs, weights, tile);
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
