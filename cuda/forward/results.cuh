// Turns the accumulator of a channel into results: the saved fields and the output, rounded.
#ifndef STATPOOL_CUDA_FORWARD_RESULTS_CUH_
#define STATPOOL_CUDA_FORWARD_RESULTS_CUH_

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cc/core/rescaling.h"
#include "cc/core/values.h"
#include "cuda/arguments.h"
#include "cuda/forward/accumulator.cuh"
#include "cuda/thread/for_each_index.cuh"
#include "cuda/thread/roots.cuh"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// A channel as the formulas of core/values.h read it. Without a valid step all is 0 except roots.
template <typename AccumulatorOf>
struct Channel {
  static constexpr bool kIsDouble = !kHasPivot<AccumulatorOf>;

  const AccumulatorOf& of;
  double epsilon;
  double inverse;  // 1 / steps, or 0

  __device__ __forceinline__ Channel(const AccumulatorOf& accumulator, double added)
      : of(accumulator), epsilon(added), inverse(of.steps == 0 ? 0 : Inverse(Steps())) {}

  __device__ double Steps() const { return static_cast<double>(of.steps); }
  __device__ double Sum() const { return of.sum.Value(); }
  __device__ double Squares() const { return of.squares.Value(); }
  __device__ double Deviations() const { return of.AroundMean(inverse); }
  __device__ double Max() const { return of.steps == 0 ? 0 : of.max; }
  __device__ double MaxCount() const { return static_cast<double>(of.max_count); }
  __device__ double Min() const { return of.steps == 0 ? 0 : of.min; }
  __device__ double MinCount() const { return static_cast<double>(of.min_count); }

  __device__ double MeanResidual() const {
    if constexpr (kIsDouble) {
      return PerStep(__fma_rn(-PerStep(Sum()), Steps(), of.sum.value) + (of.sum.error + of.rest));
    }
    const double mean = static_cast<float>(PerStep(Sum()));
    // Right to the last bit, so that the mean of equal steps is exactly their value.
    const double total = of.Total();
    const double quotient = total * inverse;
    return __fma_rn(__fma_rn(-Steps(), quotient, total), inverse, quotient) - mean;
  }

  __device__ double PerStep(double sum) const {
    if constexpr (kIsDouble) return of.steps == 0 ? 0 : sum / Steps();
    return sum * inverse;
  }
  __device__ double Root(double power) const {
    if constexpr (kIsDouble) return sqrt(power + epsilon);
    return RootForFloat(power + epsilon);
  }
  __device__ double Unscaled(double value) const { return value; }
};

// Whether a kernel for Sums may have to store a field.
template <typename Sums>
constexpr bool MayHold(int field) {
  for (int i = 0; i < core::kStatisticCount; ++i) {
    if (core::Contains(core::kMostFlags<Sums>, core::kStatistics[i].sums) &&
        core::kStatistics[i].saved >> field & 1) {
      return true;
    }
  }
  return false;
}

// Calls use(field, formula) for each field that this call saves.
template <typename Sums, typename Use>
__device__ __forceinline__ void ForEachField(const ForwardArguments& a, const Use& use) {
  ForEachIndex<core::kSavedFieldCount>([&](auto field) {
    if constexpr (MayHold<Sums>(field)) {
      if (a.saved_at[field] < 0) return;
      core::WithFormula(static_cast<core::SavedField>(field.value),
                        [&](const auto& formula) { use(field.value, formula); });
    }
  });
}

// Where the results of channel c of example b go: the places of the first field and statistic.
template <typename T>
struct ResultPlaces {
  using Saved = core::ComputeType<T>;
  Saved* saved;
  int64_t y;

  __device__ __forceinline__ ResultPlaces(const ForwardArguments& a, int64_t b, int64_t c)
      : saved(static_cast<Saved*>(a.saved) + b * a.saved_stride + c), y(b * a.y_stride + c) {}

  __device__ __forceinline__ void Store(const ForwardArguments& a, int field, double value) const {
    const Saved rounded = static_cast<Saved>(value);
    saved[a.saved_at[field]] = rounded;
    if (a.y_at[field] < 0) return;
    const int64_t to = y + a.y_at[field];
    if (sizeof(T) == 2 && a.is_y_float) {
      static_cast<float*>(a.y)[to] = static_cast<float>(rounded);
    } else {
      Round(rounded, static_cast<T*>(a.y) + to);
    }
  }
};

// The slow path of float64, where sums overflow or vanish: the thread reads its channel again, more
// than once, with values scaled (core/rescaling.h).
template <typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void StoreRescaled(const ForwardArguments& a, const Sums& needed,
                                              const AccumulatorOf& of, int64_t b, int64_t c) {
  static_assert(core::kSumCount == 5, "every sum that can leave the range of double is tested");
  const bool is_off = (needed.sum && !isfinite(of.sum.value)) ||
                      (needed.squares && core::IsOffScale(of.squares.value, a.epsilon)) ||
                      (needed.central && core::IsOffScale(of.deviations.value, a.epsilon));
  if (!is_off || of.steps == 0) return;
  using ChannelOf = Channel<AccumulatorOf>;
  const core::ChannelSteps again(a, a.shape, a.is_channels_last, a.activation, b, c);
  const core::RescaledChannel<ChannelOf> channel(
      ChannelOf(of, a.epsilon), again, static_cast<double>(of.steps), a.needed, a.epsilon);
  const ResultPlaces<double> places(a, b, c);
  ForEachField<Sums>(
      a, [&](int field, const auto& formula) { places.Store(a, field, formula(channel)); });
}

// Writes the results of channel c of example b.
template <typename T, typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void StoreResults(const ForwardArguments& a, const Sums& needed,
                                             const AccumulatorOf& of, int64_t b, int64_t c) {
  const Channel<AccumulatorOf> channel(of, a.epsilon);
  const ResultPlaces<T> places(a, b, c);
  ForEachField<Sums>(
      a, [&](int field, const auto& formula) { places.Store(a, field, formula(channel)); });
  if constexpr (std::is_same_v<T, double>) StoreRescaled(a, needed, of, b, c);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_RESULTS_CUH_
