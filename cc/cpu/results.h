// From a tile whose lanes are channels to results: the saved planes and the output, rounded.
#ifndef STATPOOL_CPU_RESULTS_H_
#define STATPOOL_CPU_RESULTS_H_

#include <algorithm>
#include <cmath>

#include "cc/cpu/kernels.h"
#include "cc/cpu/lanes.h"
#include "cc/cpu/rescaled.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

// The values of one plane for each channel, unrounded.
template <typename TileOf>
void PlaneColumns(core::Plane plane, const TileOf& tile, int64_t count, double epsilon,
                  int64_t width, double* values) {
  using Saved = typename TileOf::Compute;
  const double n = static_cast<double>(count);
  const auto fill = [&](const auto& value) {
    for (int64_t c = 0; c < width; ++c) values[c] = value(c);
  };
  const bool is_root =
      plane == core::Plane::kL2 || plane == core::Plane::kRms || plane == core::Plane::kStd;
  if (count == 0) {
    std::fill_n(values, width, is_root ? std::sqrt(epsilon) : 0.0);
    return;
  }
  switch (plane) {
    case core::Plane::kSteps:
      return fill([&](int64_t) { return n; });
    case core::Plane::kMean:
      return fill([&](int64_t c) { return tile.sum[c] / n; });
    case core::Plane::kMeanResidual:
      return fill([&](int64_t c) {
        if constexpr (std::is_same_v<Saved, double>) return 0.0;
        return tile.total[c] / n - static_cast<double>(static_cast<Saved>(tile.sum[c] / n));
      });
    case core::Plane::kMax:
      return fill([&](int64_t c) { return tile.max[c]; });
    case core::Plane::kMaxCount:
      return fill([&](int64_t c) { return static_cast<double>(tile.max_count[c]); });
    case core::Plane::kMin:
      return fill([&](int64_t c) { return tile.min[c]; });
    case core::Plane::kMinCount:
      return fill([&](int64_t c) { return static_cast<double>(tile.min_count[c]); });
    case core::Plane::kL2:
      return fill([&](int64_t c) { return std::sqrt(tile.squares[c] + epsilon); });
    case core::Plane::kRms:
      return fill([&](int64_t c) { return std::sqrt(tile.squares[c] / n + epsilon); });
    case core::Plane::kStd:
      return fill([&](int64_t c) { return std::sqrt(tile.deviations[c] / n + epsilon); });
  }
}

// The channels that a tile owns, and where its results go.
struct Destination {
  int64_t b;
  int64_t first_channel;
  int64_t width;
};

// Writes channels [first, first + width) of a plane's statistic, if it was asked for.
template <typename T>
void StoreOutput(const ForwardArguments& a, core::Plane plane, int64_t b, int64_t first,
                 int64_t width, const double* values) {
  const core::StatisticList& statistics = a.problem.statistics;
  for (int i = 0; i < statistics.size; ++i) {
    if (core::PlaneOf(statistics.items[i]) != plane) continue;
    const int64_t to = (b * statistics.size + i) * a.problem.shape.channels + first;
    if constexpr (sizeof(T) == 2) {
      if (a.out_dtype == core::DType::kFloat32) {
        return StoreColumns(values, width, static_cast<float*>(a.y) + to);
      }
    }
    return StoreColumns(values, width, static_cast<T*>(a.y) + to);
  }
}

// Writes the results of whole examples, of `count` steps each.
template <typename T, typename TileOf>
void StoreResults(const ForwardArguments& a, const core::Needs& needs, const TileOf& tile,
                  int64_t count, const Destination& to) {
  using Saved = core::ComputeType<T>;
  const int64_t channels = a.problem.shape.channels;
  alignas(64) double values[kTileLanes];
  const auto store = [&](int plane_index, int64_t first, int64_t width) {
    const core::Plane plane = a.planes.items[plane_index];
    const int64_t row = to.b * a.planes.size + plane_index;
    StoreColumns(values, width, static_cast<Saved*>(a.saved) + row * channels + first);
    StoreOutput<T>(a, plane, to.b, first, width, values);
  };
  for (int i = 0; i < a.planes.size; ++i) {
    PlaneColumns(a.planes.items[i], tile, count, a.problem.epsilon, to.width, values);
    store(i, to.first_channel, to.width);
  }
  if constexpr (std::is_same_v<T, double>) {
    if (count == 0) return;
    for (int64_t c = 0; c < to.width; ++c) {
      if (!NeedsRescaling(tile, needs, a.problem.epsilon, c)) continue;
      const core::Rescaled rescaled = RescaledSums(a, needs, to.b, to.first_channel + c);
      for (int i = 0; i < a.planes.size; ++i) {
        if (core::RescaledPlane(a.planes.items[i], rescaled, values))
          store(i, to.first_channel + c, 1);
      }
    }
  }
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_RESULTS_H_
