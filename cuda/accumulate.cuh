// Adds a chunk of steps to an accumulator. 16-bit and float32 values are summed by pairs in float,
// their deviations too, and only what eight of them come to enters the double accumulators: an
// eighth of a double operation for each sum and element, which even cards with few double units
// hide behind the memory.
#ifndef STATPOOL_CUDA_ACCUMULATE_CUH_
#define STATPOOL_CUDA_ACCUMULATE_CUH_

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cc/core/problem.h"
#include "cuda/accumulator.cuh"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

constexpr int kRows = kForwardRows;

// Whether sums in float may overflow, or squares vanish: those of float16 never do.
template <typename T>
constexpr bool kMayLeaveRange = !std::is_same_v<T, core::Float16>;

// The power of two that brings a chunk whose squares leave the range of float back into it, and its
// inverse. Rare, so that it is to take no registers: hence not in double.
struct Scale {
  float to;
  double back;

  __device__ __forceinline__ explicit Scale(float squares)
      : to(squares < 1 ? 0x1p96f : 0x1p-96f), back(squares < 1 ? 0x1p-96 : 0x1p96) {}
};

__device__ __forceinline__ bool AreZero(const float (&v)[kRows]) {
  uint32_t bits = 0;
  for (int r = 0; r < kRows; ++r) bits |= __float_as_uint(v[r]);
  return bits << 1 == 0;
}

// A sum in float, and what rounding took from it.
struct ExactSum {
  float value;
  float error = -0.0f;  // what adds nothing, not even an instruction

  friend __device__ __forceinline__ ExactSum operator+(ExactSum a, const ExactSum& b) {
    core::AddCompensated(b.value, &a.value, &a.error);
    a.error += b.error;
    return a;
  }
};

// The sum of the `n` values of a chunk that count, times `scale`, and their squared deviations:
// from the rounded mean, and from what that was rounded from, as good as double would tell.
struct CentralSums {
  ExactSum sum;
  float mean;
  float around_rounded;
  float around_mean;

  template <typename IsValid>
  __device__ __forceinline__ CentralSums(const float (&v)[kRows], const IsValid& is_valid, float n,
                                         float scale) {
    sum = core::PairwiseSum<kRows, ExactSum>([&](int r) { return ExactSum{v[r] * scale}; });
    mean = sum.value / n;
    around_rounded = core::PairwiseSum<kRows, float>([&](int r) {
      const float deviation = v[r] * scale - mean;
      return is_valid(r) ? deviation * deviation : 0;
    });
    const float left = __fmaf_rn(-n, mean, sum.value) + sum.error;  // the former is exact
    around_mean = around_rounded - left * left / n;
  }
};

// Adds the squared deviations of a chunk: in float from its own mean, and in double the distance of
// that mean from a value that all chunks of the thread share, until Accumulator::Centre. `wide_sum`
// is the sum as it enters accumulator->sum.
template <typename T, typename IsValid, typename Count>
__device__ __forceinline__ void AddCentral(const float (&v)[kRows], const IsValid& is_valid,
                                           int32_t steps, double wide_sum,
                                           Accumulator<float, Count>* accumulator) {
  if (steps == 0) return;
  const float n = static_cast<float>(steps);
  const CentralSums chunk(v, is_valid, n, 1);
  double around_mean = chunk.around_mean;
  float rest = chunk.sum.error;
  if (kMayLeaveRange<T> && !core::IsInFloatRange(chunk.around_rounded)) {
    bool are_equal = true;
    for (int r = 0; r < kRows; ++r) are_equal &= !is_valid(r) || v[r] == chunk.mean;
    if (!are_equal) {
      const Scale scale(chunk.around_rounded);
      const CentralSums scaled(v, is_valid, n, scale.to);
      around_mean = scaled.around_mean * scale.back * scale.back;
      rest = static_cast<float>(scaled.sum.value * scale.back - wide_sum +
                                scaled.sum.error * scale.back);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if (accumulator->steps == 0 && is_valid(r)) accumulator->pivot = v[r];
  }
  // The product is exact.
  const double distance = __fma_rn(-n, accumulator->pivot, wide_sum) + rest;
  accumulator->deviations.Add(around_mean + distance * distance / steps);
  accumulator->rest += rest;
}

// Joins the deviations of a chunk to those of the steps before, in double throughout.
template <typename IsValid, typename Count>
__device__ __forceinline__ void AddCentral(const double (&v)[kRows], const IsValid& is_valid,
                                           int32_t steps, double sum,
                                           Accumulator<double, Count>* accumulator) {
  if (steps == 0) return;
  const double before =
      accumulator->steps == 0 ? 0 : accumulator->Total() / static_cast<double>(accumulator->steps);
  const double mean = sum / steps;
  const double distance = mean - before;
  const double deviations = core::PairwiseSum<kRows, double>([&](int r) {
    const double deviation = v[r] - mean;
    return is_valid(r) ? deviation * deviation : 0.0;
  });
  accumulator->deviations.Add(deviations + distance * distance *
                                               core::DistanceWeight(steps, accumulator->steps));
}

// Adds `v`, which is 0 in rows that don't count, and its squares. What leaves the range of float is
// scaled and summed again: each sum by itself, so that it has the same bits whatever is asked for.
template <typename T, typename Sums, typename IsValid, typename Count>
__device__ __forceinline__ void AddSums(const float (&v)[kRows], float squares,
                                        const IsValid& is_valid, int32_t steps, const Sums& needed,
                                        Accumulator<float, Count>* accumulator) {
  const float sum = core::PairwiseSum<kRows, float>([&](int r) { return v[r]; });
  double wide_sum = sum;
  double wide_squares = squares;
  if constexpr (kMayLeaveRange<T>) {
    const bool is_finite = sum - sum == 0;  // as it is where squares are in range
    const bool is_in_range = needed.squares ? core::IsInFloatRange(squares) : is_finite;
    if (!is_in_range && !AreZero(v)) {
      const Scale scale(needed.squares ? squares : std::numeric_limits<float>::infinity());
      const auto value = [&](int r) { return v[r] * scale.to; };
      if (!is_finite) wide_sum = core::PairwiseSum<kRows, float>(value) * scale.back;
      wide_squares = core::PairwiseSum<kRows, float>([&](int r) { return value(r) * value(r); }) *
                     scale.back * scale.back;
    }
  }
  if (needed.central) AddCentral<T>(v, is_valid, steps, wide_sum, accumulator);
  if (needed.sum) accumulator->sum.Add(wide_sum);
  if (needed.squares) accumulator->squares.Add(wide_squares);
}

template <typename T, typename Sums, typename IsValid, typename Count>
__device__ __forceinline__ void AddSums(const double (&v)[kRows], double squares,
                                        const IsValid& is_valid, int32_t steps, const Sums& needed,
                                        Accumulator<double, Count>* accumulator) {
  const double sum = core::PairwiseSum<kRows, double>([&](int r) { return v[r]; });
  if (needed.central) AddCentral(v, is_valid, steps, sum, accumulator);
  if (needed.sum) accumulator->sum.Add(sum);
  if (needed.squares) accumulator->squares.Add(squares);
}

__device__ __forceinline__ float Larger(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double Larger(double a, double b) { return fmax(a, b); }

// The largest value of a chunk and of what was before, or the least, and how many of the chunk
// equal it. NaN wins and equals nothing.
template <typename Compute>
struct Extreme {
  Compute value;
  int32_t count;
};

// Of kSign * v. is_nan says that there is a NaN among the values that count.
template <int kSign, typename Compute, typename IsValid>
__device__ __forceinline__ Extreme<Compute> ExtremeOf(const Compute (&v)[kRows],
                                                      const IsValid& is_valid, bool is_nan,
                                                      Compute before) {
  constexpr Compute kNan = std::numeric_limits<Compute>::quiet_NaN();
  const auto candidate = [&](int r) { return is_valid(r) ? v[r] : kNan; };
  Compute best = kSign * before;
  for (int r = 0; r < kRows; ++r) best = Larger(best, kSign * candidate(r));
  Extreme<Compute> extreme = {is_nan || before != before ? kNan : kSign * best, 0};
  for (int r = 0; r < kRows; ++r) extreme.count += candidate(r) == extreme.value;
  return extreme;
}

template <typename Compute, typename Count>
__device__ __forceinline__ void UpdateExtreme(const Extreme<Compute>& of, Compute* extreme,
                                              Count* count) {
  *count = (*extreme == of.value ? *count : 0) + of.count;
  *extreme = of.value;
}

// The sum of squares. Those of 16-bit values are exact in float, unless too small to matter or too
// large for any sum, so that a fused operation rounds as two would.
template <typename T, typename Compute>
__device__ __forceinline__ Compute SumOfSquares(const Compute (&v)[kRows]) {
  if constexpr (sizeof(T) == 2) {
    return core::PairwiseSum<kRows / 2, float>(
        [&](int i) { return __fmaf_rn(v[2 * i], v[2 * i], v[2 * i + 1] * v[2 * i + 1]); });
  } else {
    return core::PairwiseSum<kRows, Compute>([&](int r) { return v[r] * v[r]; });
  }
}

// Adds the `steps` rows of which is_valid(r) holds. In the others, v must be 0. maximum(is_nan) is
// their maximum.
template <typename T, typename Sums, typename Count, typename IsValid, typename Maximum>
__device__ __forceinline__ void AddChunk(const core::ComputeType<T> (&v)[kRows],
                                         const IsValid& is_valid, int32_t steps, const Sums& needed,
                                         const Maximum& maximum,
                                         Accumulator<core::ComputeType<T>, Count>* accumulator) {
  const auto squares = SumOfSquares<T>(v);
  const bool is_nan = squares != squares;  // and only then: squares never cancel
  if (needed.max) UpdateExtreme(maximum(is_nan), &accumulator->max, &accumulator->max_count);
  if (needed.min) {
    const auto minimum = ExtremeOf<-1>(v, is_valid, is_nan, accumulator->min);
    UpdateExtreme(minimum, &accumulator->min, &accumulator->min_count);
  }
  AddSums<T>(v, squares, is_valid, steps, needed, accumulator);
  accumulator->steps += steps;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_ACCUMULATE_CUH_
