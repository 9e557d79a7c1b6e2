// From a tile whose lanes are channels to results: the saved planes and the output, rounded.
#ifndef STATPOOL_CPU_RESULTS_H_
#define STATPOOL_CPU_RESULTS_H_

#include <cmath>

#include "cc/cpu/kernels.h"
#include "cc/cpu/rescaled.h"
#include "cc/cpu/storage.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// The channels that a tile owns, and where its results go.
struct Destination {
  int64_t b;
  int64_t first_channel;
  int64_t width;
};

// Where a plane of a tile goes, and its statistic if that was asked for. Element 0 is the tile's
// first channel.
template <typename T>
struct PlaneRows {
  using Compute = core::ComputeType<T>;

  PlaneRows(const ForwardArguments& a, int plane_index, const Destination& to) {
    const int64_t channels = a.problem.shape.channels;
    const core::StatisticList& statistics = a.problem.statistics;
    const int64_t row = to.b * a.planes.size + plane_index;
    saved = static_cast<Compute*>(a.saved) + row * channels + to.first_channel;
    for (int i = 0; i < statistics.size; ++i) {
      if (core::PlaneOf(statistics.items[i]) != a.planes.items[plane_index]) continue;
      const int64_t at = (to.b * statistics.size + i) * channels + to.first_channel;
      if (sizeof(T) == 2 && a.problem.out_dtype == core::DType::kFloat32) {
        float_output = static_cast<float*>(a.y) + at;
      } else {
        output = static_cast<T*>(a.y) + at;
      }
    }
  }

  template <int N>
  __attribute__((always_inline)) void Store(const Vec<Compute, N>& value, int64_t c) const {
    StoreRaw(value, saved + c);
    if (output != nullptr) StoreRaw(Round<T, N>(value), output + c);
    if (sizeof(T) == 2 && float_output != nullptr) StoreRaw(value, float_output + c);
  }

  Compute* saved;
  T* output = nullptr;
  float* float_output = nullptr;
};

// Channels [0, width) of a plane: value(std::integral_constant<int, N>(), c) makes N of them.
// `rows` is a copy, which the stores can't be thought to change.
template <int kMaxLanes, typename T, typename Value>
STATPOOL_INLINE void StoreLanes(const PlaneRows<T> rows, int64_t width, const Value& value) {
  ForLanes<kMaxLanes>(width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
    rows.template Store<decltype(lanes)::value>(value(lanes, c), c);
  });
}

// The same for what is computed in double.
template <typename T, typename Value>
STATPOOL_INLINE void StoreRounded(const PlaneRows<T>& rows, int64_t width, const Value& value) {
  StoreLanes<kLanes<double>>(
      rows, width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
        return Narrow<core::ComputeType<T>, decltype(lanes)::value>(value(lanes, c));
      });
}

// One plane of whole examples, of `count` steps each.
template <typename T, typename TileOf>
void StorePlane(const PlaneRows<T>& rows, core::Plane plane, const TileOf& tile, int64_t count,
                double epsilon, int64_t width) {
  using Compute = core::ComputeType<T>;
  const double n = static_cast<double>(count);
  const auto fill = [&](double value) {
    const Compute rounded = static_cast<Compute>(value);
    StoreLanes<kLanes<Compute>>(rows, width,
                                [&](auto lanes, int64_t) __attribute__((always_inline)) {
                                  return Vec<Compute, decltype(lanes)::value>{} + rounded;
                                });
  };
  const auto copy = [&](const auto* values) {
    using E = std::remove_const_t<std::remove_pointer_t<decltype(values)>>;
    StoreLanes<kLanes<Compute>>(rows, width,
                                [&](auto lanes, int64_t c) __attribute__((always_inline)) {
                                  constexpr int N = decltype(lanes)::value;
                                  return Convert<Compute, N>(LoadRaw<Vec<E, N>>(values + c));
                                });
  };
  // A division costs more than everything else here. Where the mean is rounded to float, a product
  // is as good.
  const double inverse = 1.0 / n;
  const auto per_step = [=](const auto& sum) __attribute__((always_inline)) {
    if constexpr (std::is_same_v<Compute, double>) return sum / n;
    return sum * inverse;
  };
  const auto stabilised_root = [&](const auto& sum, const auto& power) {
    StoreRounded(rows, width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
      constexpr int N = decltype(lanes)::value;
      return SquareRoot<N>(power(sum.template Value<N>(c)) + epsilon);
    });
  };

  const bool is_root =
      plane == core::Plane::kL2 || plane == core::Plane::kRms || plane == core::Plane::kStd;
  if (count == 0) return fill(is_root ? std::sqrt(epsilon) : 0.0);
  switch (plane) {
    case core::Plane::kSteps:
      return fill(n);
    case core::Plane::kMean:
      return StoreRounded(rows, width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
        return per_step(tile.sum.template Value<decltype(lanes)::value>(c));
      });
    case core::Plane::kMeanResidual:
      return StoreRounded(rows, width, [&](auto lanes, int64_t c) __attribute__((always_inline)) {
        constexpr int N = decltype(lanes)::value;
        using D = Vec<double, N>;
        if constexpr (std::is_same_v<Compute, double>) return D{};
        const D mean = per_step(tile.sum.template Value<N>(c));
        return D(LoadRaw<D>(tile.total + c) / n - Widen<N>(Narrow<Compute, N>(mean)));
      });
    case core::Plane::kMax:
      return copy(tile.max);
    case core::Plane::kMaxCount:
      return copy(tile.max_count);
    case core::Plane::kMin:
      return copy(tile.min);
    case core::Plane::kMinCount:
      return copy(tile.min_count);
    case core::Plane::kL2:
      return stabilised_root(tile.squares, [](const auto& sum) { return sum; });
    case core::Plane::kRms:
      return stabilised_root(tile.squares, per_step);
    case core::Plane::kStd:
      return stabilised_root(tile.deviations, per_step);
  }
}

// Writes the results of whole examples, of `count` steps each.
template <typename T, typename TileOf>
void StoreResults(const ForwardArguments& a, const core::Needs& needs, const TileOf& tile,
                  int64_t count, const Destination& to) {
  for (int i = 0; i < a.planes.size; ++i) {
    const PlaneRows<T> rows(a, i, to);
    StorePlane(rows, a.planes.items[i], tile, count, a.problem.epsilon, to.width);
  }
  if constexpr (std::is_same_v<T, double>) {
    if (count == 0 || !NeedRescaling(tile, needs, a.problem.epsilon, 0, to.width)) return;
    for (int64_t c = 0; c < to.width; ++c) {
      if (!NeedRescaling(tile, needs, a.problem.epsilon, c, c + 1)) continue;
      const core::Rescaled rescaled = RescaledSums(a, needs, to.b, to.first_channel + c);
      for (int i = 0; i < a.planes.size; ++i) {
        double value;
        if (!core::RescaledPlane(a.planes.items[i], rescaled, &value)) continue;
        PlaneRows<T>(a, i, to).template Store<1>(Vec<double, 1>{value}, c);
      }
    }
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_RESULTS_H_
