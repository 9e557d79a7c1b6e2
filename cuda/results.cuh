// From the accumulators of a channel to results: the saved fields and the output, rounded.
#ifndef STATPOOL_CUDA_RESULTS_CUH_
#define STATPOOL_CUDA_RESULTS_CUH_

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cc/core/rescaling.h"
#include "cc/core/values.h"
#include "cuda/accumulator.cuh"
#include "cuda/arguments.h"
#include "cuda/unit.cuh"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// A channel that has steps, as core/values.h asks for it.
template <typename AccumulatorOf>
struct Channel {
  const AccumulatorOf& of;
  double epsilon;

  __device__ double Steps() const { return static_cast<double>(of.steps); }
  __device__ double Sum() const { return of.sum.Value(); }
  __device__ double Squares() const { return of.squares.Value(); }
  __device__ double Deviations() const { return of.deviations.Value(); }
  __device__ double Max() const { return of.max; }
  __device__ double MaxCount() const { return static_cast<double>(of.max_count); }
  __device__ double Min() const { return of.min; }
  __device__ double MinCount() const { return static_cast<double>(of.min_count); }

  __device__ double MeanResidual() const {
    if constexpr (std::is_same_v<typename AccumulatorOf::Compute, double>) return 0;
    const double mean = static_cast<float>(PerStep(Sum()));
    return of.Total() / Steps() - mean;
  }

  __device__ double PerStep(double sum) const { return sum / Steps(); }
  __device__ double Root(double power) const { return sqrt(power + epsilon); }
  __device__ double Unscaled(double value) const { return value; }
};

template <typename T>
__device__ __forceinline__ void StoreField(const ForwardArguments& a, int field, int64_t b,
                                           int64_t c, double value) {
  using Saved = core::ComputeType<T>;
  const int64_t channels = a.shape.channels;
  const Saved rounded = static_cast<Saved>(value);
  static_cast<Saved*>(a.saved)[(b * a.fields.size + field) * channels + c] = rounded;
  const int statistic = a.statistic_of[field];
  if (statistic < 0) return;
  const int64_t to = (b * a.statistics + statistic) * channels + c;
  if (sizeof(T) == 2 && a.is_y_float) {
    static_cast<float*>(a.y)[to] = static_cast<float>(rounded);
  } else {
    Round(rounded, static_cast<T*>(a.y) + to);
  }
}

// float64's rare slow path: the thread reads its channel again, more than once.
template <typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void StoreRescaled(const ForwardArguments& a, const Sums& needed,
                                              const AccumulatorOf& of, int64_t b, int64_t c) {
  const bool is_off = (needed.sum && !isfinite(of.sum.value)) ||
                      (needed.squares && core::IsOffScale(of.squares.value, a.epsilon)) ||
                      (needed.central && core::IsOffScale(of.deviations.value, a.epsilon));
  if (!is_off || of.steps == 0) return;
  using ChannelOf = Channel<AccumulatorOf>;
  const core::ChannelSteps again(a, a.shape, a.is_channels_last, b, c);
  const core::RescaledChannel<ChannelOf> channel(
      ChannelOf{of, a.epsilon}, again, static_cast<double>(of.steps), a.needed, a.epsilon);
  for (int i = 0; i < a.fields.size; ++i) {
    core::WithFormula(a.fields.items[i], [&](const auto& formula) {
      StoreField<double>(a, i, b, c, formula(channel));
    });
  }
}

// Writes the results of channel c of example b.
template <typename T, typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void StoreResults(const ForwardArguments& a, const Sums& needed,
                                             const AccumulatorOf& of, int64_t b, int64_t c) {
  for (int i = 0; i < a.fields.size; ++i) {
    core::WithFormula(a.fields.items[i], [&](const auto& formula) {
      const double value = of.steps == 0 ? formula(core::EmptyChannel{a.epsilon})
                                         : formula(Channel<AccumulatorOf>{of, a.epsilon});
      StoreField<T>(a, i, b, c, value);
    });
  }
  if constexpr (std::is_same_v<T, double>) StoreRescaled(a, needed, of, b, c);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_RESULTS_CUH_
