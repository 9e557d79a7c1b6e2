// From the accumulators of a channel to results: the saved planes and the output, rounded.
#ifndef STATPOOL_CUDA_RESULTS_CUH_
#define STATPOOL_CUDA_RESULTS_CUH_

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cc/core/rescaled.h"
#include "cuda/arguments.h"
#include "cuda/lane.cuh"
#include "cuda/unit.cuh"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// One plane of a channel, unrounded.
template <typename LaneOf>
__device__ __forceinline__ double PlaneValue(core::Plane plane, const LaneOf& lane,
                                             double epsilon) {
  const double n = static_cast<double>(lane.steps);
  const bool is_empty = lane.steps == 0;
  const auto root = [&](double power) { return sqrt(is_empty ? epsilon : power + epsilon); };
  switch (plane) {
    case core::Plane::kSteps:
      return n;
    case core::Plane::kMean:
      return is_empty ? 0 : lane.sum.Value() / n;
    case core::Plane::kMeanResidual: {
      if (is_empty || std::is_same_v<typename LaneOf::Compute, double>) return 0;
      const double mean = static_cast<float>(lane.sum.Value() / n);
      return lane.total / n - mean;
    }
    case core::Plane::kMax:
      return is_empty ? 0 : lane.max;
    case core::Plane::kMaxCount:
      return static_cast<double>(lane.max_count);
    case core::Plane::kMin:
      return is_empty ? 0 : lane.min;
    case core::Plane::kMinCount:
      return static_cast<double>(lane.min_count);
    case core::Plane::kL2:
      return root(lane.squares.Value());
    case core::Plane::kRms:
      return root(lane.squares.Value() / n);
    case core::Plane::kStd:
      return root(lane.deviations.Value() / n);
  }
  return 0;
}

template <typename T>
__device__ __forceinline__ void StorePlane(const ForwardArguments& a, int plane, int64_t b,
                                           int64_t c, double value) {
  using Saved = core::ComputeType<T>;
  const int64_t channels = a.shape.channels;
  const Saved rounded = static_cast<Saved>(value);
  static_cast<Saved*>(a.saved)[(b * a.planes.size + plane) * channels + c] = rounded;
  const int statistic = a.statistic_of[plane];
  if (statistic < 0) return;
  const int64_t to = (b * a.statistics + statistic) * channels + c;
  if (sizeof(T) == 2 && a.is_y_float) {
    static_cast<float*>(a.y)[to] = static_cast<float>(rounded);
  } else {
    Round(rounded, static_cast<T*>(a.y) + to);
  }
}

// float64's rare slow path: the thread reads its channel again, more than once.
template <typename Needs, typename LaneOf>
__device__ __forceinline__ void StoreRescaled(const ForwardArguments& a, const Needs& needs,
                                              const LaneOf& lane, int64_t b, int64_t c) {
  const bool is_off = (needs.sum && !isfinite(lane.sum.value)) ||
                      (needs.squares && core::IsOffScale(lane.squares.value, a.epsilon)) ||
                      (needs.central && core::IsOffScale(lane.deviations.value, a.epsilon));
  if (!is_off || lane.steps == 0) return;
  const int64_t time = a.shape.time;
  const int64_t channels = a.shape.channels;
  const int64_t stride = a.is_channels_last ? channels : 1;
  const double* x =
      static_cast<const double*>(a.x) + b * time * channels + (a.is_channels_last ? c : c * time);
  const bool* mask = a.mask == nullptr ? nullptr : a.mask + b * time;
  const int64_t end = EndOfExample(a.lengths, b, time);
  const auto for_each = [&](const auto& visit) {
    for (int64_t t = 0; t < end; ++t) {
      if (mask == nullptr || mask[t]) visit(x[t * stride]);
    }
  };
  const core::Rescaled rescaled = core::RescaledSums(for_each, a.needs, a.epsilon);
  for (int i = 0; i < a.planes.size; ++i) {
    double value;
    if (core::RescaledPlane(a.planes.items[i], rescaled, &value)) {
      StorePlane<double>(a, i, b, c, value);
    }
  }
}

// Writes the results of channel c of example b.
template <typename T, typename Needs, typename LaneOf>
__device__ __forceinline__ void StoreResults(const ForwardArguments& a, const Needs& needs,
                                             const LaneOf& lane, int64_t b, int64_t c) {
  for (int i = 0; i < a.planes.size; ++i) {
    StorePlane<T>(a, i, b, c, PlaneValue(a.planes.items[i], lane, a.epsilon));
  }
  if constexpr (std::is_same_v<T, double>) StoreRescaled(a, needs, lane, b, c);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_RESULTS_CUH_
