// Sums and extremes of whole channels, joined from the lanes of tiles or from splits of time, in a
// fixed order. Plain loops over channels: the compiler vectorises them.
#ifndef STATPOOL_CPU_COLUMNS_H_
#define STATPOOL_CPU_COLUMNS_H_

#include <algorithm>
#include <limits>

#include "cc/core/accumulators.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

// A sum of two doubles for each channel.
struct ColumnSum {
  alignas(64) double value[kTileLanes];
  alignas(64) double error[kTileLanes];

  void Clear(int64_t width) {
    std::fill_n(value, width, 0.0);
    std::fill_n(error, width, 0.0);
  }

  template <typename Term>
  void Add(int64_t width, const Term& term) {
    for (int64_t c = 0; c < width; ++c) core::AddCompensated(term(c), &value[c], &error[c]);
  }

  // Adds the sums of a part; their errors are null where they are known to be 0.
  void Add(int64_t width, const double* part, const double* part_error) {
    Add(width, [part](int64_t c) { return part[c]; });
    if (part_error == nullptr) return;
    for (int64_t c = 0; c < width; ++c) error[c] += part_error[c];
  }

  double operator[](int64_t c) const { return core::CompensatedValue(value[c], error[c]); }
};

struct ColumnExtreme {
  alignas(64) double value[kTileLanes];
  alignas(64) double count[kTileLanes];

  void Clear(int64_t width, double identity) {
    std::fill_n(value, width, identity);
    std::fill_n(count, width, 0.0);
  }

  // NaN wins and equals nothing.
  template <typename V, typename K, typename Beats>
  void Join(int64_t width, const V* part, const K* part_count, const Beats& beats) {
    for (int64_t c = 0; c < width; ++c) {
      const double v = static_cast<double>(part[c]);
      const double n = static_cast<double>(part_count[c]);
      const bool wins = (v != v) | beats(v, value[c]);
      const double tied = v == value[c] ? count[c] + n : count[c];
      count[c] = wins ? n : tied;
      value[c] = wins ? v : value[c];
    }
  }
};

// What lanes of a tile, or a split of time, saw in each channel. Not all of it is needed.
template <typename Extreme, typename Count>
struct Part {
  int64_t steps;
  const double* sum;
  const double* sum_error;
  const double* squares;
  const double* squares_error;
  const double* mean;
  const double* deviations;
  const double* deviations_error;
  const Extreme* max;
  const Count* max_count;
  const Extreme* min;
  const Count* min_count;
};

template <typename Compute>
using LanePart = Part<Compute, typename Tile<Compute>::Count>;
using SplitPart = Part<double, double>;

// Lanes from first_lane on, which saw `steps` steps.
template <typename Compute>
LanePart<Compute> LanesOf(const Tile<Compute>& tile, int64_t first_lane, int64_t steps) {
  const auto error = [first_lane](const TileSum<Compute>& sum) {
    return TileSum<Compute>::kCompensated ? sum.error + first_lane : nullptr;
  };
  return {steps,
          tile.sum.value + first_lane,
          error(tile.sum),
          tile.squares.value + first_lane,
          error(tile.squares),
          tile.mean + first_lane,
          tile.deviations.value + first_lane,
          error(tile.deviations),
          tile.max + first_lane,
          tile.max_count + first_lane,
          tile.min + first_lane,
          tile.min_count + first_lane};
}

struct Columns {
  int64_t count = 0;  // steps joined so far, the same for every channel
  ColumnSum sum;
  ColumnSum squares;
  ColumnSum deviations;
  alignas(64) double mean[kTileLanes];
  ColumnExtreme max;
  ColumnExtreme min;

  void Clear(const core::Needs& needs, int64_t width) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    count = 0;
    if (needs.sum) sum.Clear(width);
    if (needs.squares) squares.Clear(width);
    if (needs.central) {
      deviations.Clear(width);
      std::fill_n(mean, width, 0.0);
    }
    if (needs.max) max.Clear(width, -kInfinity);
    if (needs.min) min.Clear(width, kInfinity);
  }

  template <typename Extreme, typename Count>
  void Join(const Part<Extreme, Count>& part, const core::Needs& needs, int64_t width) {
    if (part.steps == 0) return;
    if (needs.sum) sum.Add(width, part.sum, part.sum_error);
    if (needs.squares) squares.Add(width, part.squares, part.squares_error);
    if (needs.central) JoinCentral(width, part.steps, part.mean);
    if (needs.central) deviations.Add(width, part.deviations, part.deviations_error);
    if (needs.max) {
      max.Join(width, part.max, part.max_count, [](double a, double b) { return a > b; });
    }
    if (needs.min) {
      min.Join(width, part.min, part.min_count, [](double a, double b) { return a < b; });
    }
    count += part.steps;
  }

 private:
  // Moves the means, and adds what the distance between the means adds to the deviations.
  void JoinCentral(int64_t width, int64_t steps, const double* part_mean) {
    const core::JoinWeights weights = core::JoinWeightsOf(steps, count);
    const auto distance = [&](int64_t c) { return part_mean[c] - mean[c]; };
    deviations.Add(width,
                   [&](int64_t c) { return distance(c) * distance(c) * weights.deviations; });
    for (int64_t c = 0; c < width; ++c) mean[c] += distance(c) * weights.mean;
  }
};

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_COLUMNS_H_
