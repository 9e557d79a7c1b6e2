// Adds a chunk of steps to an accumulator. 16-bit and float32 values are summed by pairs in float,
// and only what eight of them come to enters the double accumulators: an eighth of a double
// operation for each sum and element, which even cards with few double units hide behind the
// memory.
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

// Joins the deviations of a chunk to those of the steps before, in double, and keeps what rounding
// takes from its sum.
template <typename Compute, typename Count, typename IsValid>
__device__ __forceinline__ void AddCentral(const Compute (&v)[kRows], const IsValid& is_valid,
                                           int32_t steps, double rounded_sum,
                                           Accumulator<Compute, Count>* accumulator) {
  if (steps == 0) return;
  const double before =
      accumulator->steps == 0 ? 0 : accumulator->Total() / static_cast<double>(accumulator->steps);
  const auto value = [&](int r) { return static_cast<double>(v[r]); };
  const double total = core::PairwiseSum<kRows, double>(value);
  const double mean = total / steps;
  const double distance = mean - before;
  const double deviations = core::PairwiseSum<kRows, double>([&](int r) {
    const double deviation = value(r) - mean;
    return is_valid(r) ? deviation * deviation : 0.0;
  });
  accumulator->deviations.Add(deviations + distance * distance *
                                               core::DistanceWeight(steps, accumulator->steps));
  accumulator->rest += static_cast<Compute>(total - rounded_sum);
}

// Adds `v`, which is 0 in rows that don't count, and its squares. Chunks that leave the range of
// float are summed again in double, unless all is 0; float16 never does.
template <typename T, typename Sums, typename IsValid, typename Count>
__device__ __forceinline__ void AddSums(const float (&v)[kRows], float squares,
                                        const IsValid& is_valid, int32_t steps, const Sums& needed,
                                        Accumulator<float, Count>* accumulator) {
  double wide_sum = core::PairwiseSum<kRows, float>([&](int r) { return v[r]; });
  double wide_squares = squares;
  if constexpr (!std::is_same_v<T, core::Float16>) {
    if (!core::IsInFloatRange(squares)) {
      uint32_t bits = 0;
      for (int r = 0; r < kRows; ++r) bits |= __float_as_uint(v[r]);
      if (bits << 1 != 0) {
        wide_sum = wide_squares = 0;
        for (int r = 0; r < kRows; ++r) {
          const double value = v[r];
          wide_sum += value;
          wide_squares += value * value;
        }
      }
    }
  }
  if (needed.central) AddCentral(v, is_valid, steps, wide_sum, accumulator);
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

// Joins a chunk to the running maximum of kSign * v and its count. A NaN in v is no value; is_nan
// says that there was one among those that count: NaN wins and stays.
template <int kSign, typename Compute, typename Count>
__device__ __forceinline__ void UpdateExtreme(const Compute (&v)[kRows], bool is_nan,
                                              Compute* extreme, Count* count) {
  const Compute old = *extreme;
  Compute best = kSign * old;
  for (int r = 0; r < kRows; ++r) best = Larger(best, kSign * v[r]);
  best = is_nan || old != old ? std::numeric_limits<Compute>::quiet_NaN() : kSign * best;
  Count ties = old == best ? *count : 0;
  for (int r = 0; r < kRows; ++r) ties += v[r] == best;
  *extreme = best;
  *count = ties;
}

// Adds the `steps` rows of which is_valid(r) holds. In the others, v must be 0.
template <typename T, typename Sums, typename Count, typename IsValid>
__device__ __forceinline__ void AddChunk(const core::ComputeType<T> (&v)[kRows],
                                         const IsValid& is_valid, int32_t steps, const Sums& needed,
                                         Accumulator<core::ComputeType<T>, Count>* accumulator) {
  using Compute = core::ComputeType<T>;
  const Compute squares = core::PairwiseSum<kRows, Compute>([&](int r) { return v[r] * v[r]; });
  const bool is_nan = squares != squares;  // and only then: squares never cancel
  Compute candidates[kRows];
  for (int r = 0; r < kRows; ++r) {
    candidates[r] = is_valid(r) ? v[r] : std::numeric_limits<Compute>::quiet_NaN();
  }
  if (needed.max) UpdateExtreme<1>(candidates, is_nan, &accumulator->max, &accumulator->max_count);
  if (needed.min) UpdateExtreme<-1>(candidates, is_nan, &accumulator->min, &accumulator->min_count);
  AddSums<T>(v, squares, is_valid, steps, needed, accumulator);
  accumulator->steps += steps;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_ACCUMULATE_CUH_
