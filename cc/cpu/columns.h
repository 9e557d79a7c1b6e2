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

  template <typename Compute>
  void Add(int64_t width, const TileSum<Compute>& sum, int64_t first_lane) {
    Add(width, [&](int64_t c) { return sum.value[first_lane + c]; });
    if (!TileSum<Compute>::kCompensated) return;
    for (int64_t c = 0; c < width; ++c) error[c] += sum.error[first_lane + c];
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

  // Joins lanes [first_lane, first_lane + width), which saw `steps` steps.
  template <typename Compute>
  void JoinLanes(const Tile<Compute>& tile, const core::Needs& needs, int64_t first_lane,
                 int64_t width, int64_t steps) {
    if (steps == 0) return;
    if (needs.sum) sum.Add(width, tile.sum, first_lane);
    if (needs.squares) squares.Add(width, tile.squares, first_lane);
    if (needs.central) {
      const double* part_mean = tile.mean + first_lane;
      JoinDistances(width, steps, [part_mean](int64_t c) { return part_mean[c]; });
      deviations.Add(width, tile.deviations, first_lane);
    }
    JoinExtremes(needs, width, tile.max + first_lane, tile.max_count + first_lane,
                 tile.min + first_lane, tile.min_count + first_lane);
    count += steps;
  }

  // Joins a split of `steps` steps from its saved planes, whose rows are `stride` apart.
  template <typename Saved>
  void JoinPlanes(const Saved* planes, const core::PlaneList& list, const core::Needs& needs,
                  int64_t stride, int64_t width, int64_t steps) {
    if (steps == 0) return;
    const Saved* plane[core::kPlaneCount] = {};
    for (int i = 0; i < list.size; ++i) {
      plane[static_cast<int>(list.items[i])] = planes + i * stride;
    }
    const auto of = [&plane](core::Plane p) { return plane[static_cast<int>(p)]; };
    const double n = static_cast<double>(steps);
    const Saved* part_mean = of(core::Plane::kMean);
    const Saved* residual = of(core::Plane::kMeanResidual);
    const Saved* l2 = of(core::Plane::kL2);
    const Saved* rms = of(core::Plane::kRms);
    const Saved* std = of(core::Plane::kStd);
    const auto whole_mean = [=](int64_t c) -> double {
      return residual == nullptr ? part_mean[c] : static_cast<double>(part_mean[c]) + residual[c];
    };
    if (needs.sum) sum.Add(width, [=](int64_t c) { return n * whole_mean(c); });
    if (needs.squares) {
      const Saved* root = l2 != nullptr ? l2 : rms;
      const double weight = l2 != nullptr ? 1 : n;
      squares.Add(width, [=](int64_t c) { return weight * Square(root[c]); });
    }
    if (needs.central) {
      JoinDistances(width, steps, whole_mean);
      deviations.Add(width, [=](int64_t c) { return n * Square(std[c]); });
    }
    JoinExtremes(needs, width, of(core::Plane::kMax), of(core::Plane::kMaxCount),
                 of(core::Plane::kMin), of(core::Plane::kMinCount));
    count += steps;
  }

 private:
  static double Square(double value) { return value * value; }

  // Moves the means, and adds what the distance between the means adds to the deviations.
  template <typename Mean>
  void JoinDistances(int64_t width, int64_t steps, const Mean& part_mean) {
    const core::JoinWeights weights = core::JoinWeightsOf(steps, count);
    deviations.Add(width,
                   [&](int64_t c) { return Square(part_mean(c) - mean[c]) * weights.deviations; });
    for (int64_t c = 0; c < width; ++c) mean[c] += (part_mean(c) - mean[c]) * weights.mean;
  }

  template <typename V, typename K>
  void JoinExtremes(const core::Needs& needs, int64_t width, const V* part_max,
                    const K* part_max_count, const V* part_min, const K* part_min_count) {
    if (needs.max) {
      max.Join(width, part_max, part_max_count, [](double a, double b) { return a > b; });
    }
    if (needs.min) {
      min.Join(width, part_min, part_min_count, [](double a, double b) { return a < b; });
    }
  }
};

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_COLUMNS_H_
