// Adds a chunk of steps to accumulators. 16-bit and float32 values and their deviations are summed
// by pairs in float, and only a chunk's sums are added to the double accumulators: at most an
// eighth of a double operation for each element of a sum, which even cards with few double units
// hide behind the memory.
#ifndef STATPOOL_CUDA_FORWARD_ACCUMULATE_CUH_
#define STATPOOL_CUDA_FORWARD_ACCUMULATE_CUH_

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cc/core/problem.h"
#include "cuda/forward/accumulator.cuh"
#include "cuda/forward/chunk_values.cuh"
#include "cuda/launch_plan.h"
#include "cuda/thread/roots.cuh"

namespace statpool {
namespace cuda {

// Whether sums in float may overflow, or squares vanish: not those of float16 values.
template <typename T>
constexpr bool kMayLeaveRange = !std::is_same_v<T, core::Float16>;

__device__ __forceinline__ float MultiplyAdd(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
__device__ __forceinline__ double MultiplyAdd(double a, double b, double c) {
  return __fma_rn(a, b, c);
}

// Total is the type that finds what rounding takes from a sum in float, as well as a double can
// tell. Where the architecture has many double units, it is a second sum in double.
struct WideTotal {
  double total;

  explicit __device__ __forceinline__ WideTotal(float number) : total(number) {}

  friend __device__ __forceinline__ WideTotal operator+(WideTotal a, const WideTotal& b) {
    a.total += b.total;
    return a;
  }

  __device__ __forceinline__ float Rest(float sum) const { return static_cast<float>(total - sum); }
};

// Elsewhere it collects what each addition in float takes.
struct CompensatedTotal {
  float value;
  float error = -0.0f;  // v + -0 is v for every v, so the compiler drops the addition; not with +0

  explicit __device__ __forceinline__ CompensatedTotal(float number) : value(number) {}

  friend __device__ __forceinline__ CompensatedTotal operator+(CompensatedTotal a,
                                                               const CompensatedTotal& b) {
    core::AddCompensated(b.value, &a.value, &a.error);
    a.error += b.error;
    return a;
  }

  __device__ __forceinline__ float Rest(float) const { return error; }
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900 && __CUDA_ARCH__ < 1200
using Total = WideTotal;
#else
using Total = CompensatedTotal;
#endif

struct NoTotal {
  explicit __device__ __forceinline__ NoTotal(double) {}
  friend __device__ __forceinline__ NoTotal operator+(const NoTotal& a, const NoTotal&) {
    return a;
  }
};

// The sum of some numbers, and the sum of their squares.
template <typename Compute, typename TotalOf = NoTotal>
struct Powers {
  Compute sum = 0;
  Compute squares = 0;
  TotalOf total = TotalOf(0);

  friend __device__ __forceinline__ Powers operator+(const Powers& a, const Powers& b) {
    return {a.sum + b.sum, a.squares + b.squares, a.total + b.total};
  }
};

// Returns the powers of number(i) over all values, one part after the other.
template <typename TotalOf = NoTotal, typename Values, typename Number>
__device__ __forceinline__ auto PowersOf(const Values&, const Number& number) {
  using Compute = typename Values::Compute;
  constexpr int kSize = Values::kPartSize;
  return core::PairwiseSum<Values::kParts, Powers<Compute, TotalOf>>([&](int part) {
    Compute numbers[kSize];
#pragma unroll
    for (int i = 0; i < kSize; ++i) numbers[i] = number(part * kSize + i);
    return Powers<Compute, TotalOf>{
        core::PairwiseSum<kSize, Compute>([&](int i) { return numbers[i]; }),
        core::PairwiseSum<kSize / 2, Compute>([&](int i) {
          return MultiplyAdd(numbers[2 * i], numbers[2 * i],
                             numbers[2 * i + 1] * numbers[2 * i + 1]);
        }),
        core::PairwiseSum<kSize, TotalOf>([&](int i) { return TotalOf(numbers[i]); })};
  });
}

// ------------------------------------------------------------------------------------------------
// float32 and 16-bit values

// How many values of a chunk are valid.
struct Steps {
  int32_t count;
  double inverse;

  template <bool kIsWhole>
  static __device__ __forceinline__ Steps Of(int32_t count) {
    if constexpr (kIsWhole) return {count, 1.0 / count};  // a constant of the compiler's
    // It is computed again for each column, because keeping it takes registers.
    asm volatile("" : "+r"(count));
    return {count, count == 0 ? 0 : Inverse(count)};
  }
};

// The sums of a chunk in float.
struct ChunkSums {
  Powers<float> values;
  float rest;        // what rounding took from their sum
  float centre;      // the rounded mean, from which deviations are taken
  float deviations;  // the sum of their squares

  template <typename Values, typename Sums>
  __device__ __forceinline__ void Add(const Values& v, const Sums& needed, const Steps& steps) {
    const auto value = [&](int i) { return v[i]; };
    if (!needed.central) {
      values = PowersOf(v, value);
      return;
    }
    const auto sums = PowersOf<Total>(v, value);
    values = {sums.sum, sums.squares};
    rest = sums.total.Rest(sums.sum);
    centre = sums.sum * static_cast<float>(steps.inverse);
    v.Reload();
    deviations = PowersOf(v, [&](int i) { return v.IsValid(i) ? v[i] - centre : 0; }).squares;
  }

  __device__ __forceinline__ bool IsFinite() const { return values.sum - values.sum == 0; }

  // Whether no sum that is needed has lost more than roundings.
  template <typename Sums>
  __device__ __forceinline__ bool AreInRange(const Sums& needed) const {
    const bool is_in_range = needed.squares ? core::IsInFloatRange(values.squares) : IsFinite();
    return is_in_range && (!needed.central || core::IsInFloatRange(deviations));
  }
};

// Whether all valid values are `value`.
template <typename Values>
__device__ __forceinline__ bool AreAll(const Values& v, float value) {
  bool are_all = true;
  v.ForEach([&](float one, bool is_valid) { are_all &= !is_valid || one == value; });
  return are_all;
}

// What a chunk adds to an accumulator.
struct WideSums {
  double sum;
  double squares;
  double around_mean;
  float rest;  // what rounding took from sum

  // Converts the sums of a chunk. If kIsWhole, all its values are valid, a power of two of them.
  template <bool kIsWhole, typename Sums>
  __device__ __forceinline__ void Widen(const ChunkSums& of, const Sums& needed,
                                        const Steps& steps) {
    sum = of.values.sum;
    squares = of.values.squares;
    if (!needed.central) return;
    rest = of.rest;
    if constexpr (kIsWhole) {
      around_mean = of.deviations - rest * rest * static_cast<float>(steps.inverse);
    } else {
      const double from_centre =
          rest + double{__fmaf_rn(-static_cast<float>(steps.count), of.centre, of.values.sum)};
      around_mean = of.deviations - from_centre * from_centre * steps.inverse;
    }
  }

  // Computes again in double the sums that left the range of float, and those alone, so that a sum
  // has the same bits whichever others are needed. Rare, except for chunks of equal values.
  template <typename Values, typename Sums>
  __device__ __forceinline__ void Repeat(const Values& v, const ChunkSums& of, const Sums& needed,
                                         const Steps& steps) {
    v.Reload();
    const bool repeats_squares =
        needed.squares && !core::IsInFloatRange(of.values.squares) && !AreAll(v, 0);
    const bool repeats_deviations =
        needed.central && !core::IsInFloatRange(of.deviations) && !AreAll(v, of.centre);
    if (of.IsFinite() && !repeats_squares && !repeats_deviations) return;
    const double base = of.IsFinite() ? of.centre : v.Any();  // next to the mean, or a value
    Powers<double> values = {};
    Powers<double> deviations = {};
    v.ForEach([&](float narrow, bool is_valid) {
      const double value = narrow;
      values = values + Powers<double>{value, value * value};
      const double deviation = is_valid ? value - base : 0;
      if (needed.central)
        deviations = deviations + Powers<double>{deviation, deviation * deviation};
    });
    if (!of.IsFinite()) sum = values.sum;
    if (repeats_squares) squares = values.squares;
    if (!repeats_deviations) return;
    rest = static_cast<float>(values.sum - sum);
    around_mean = deviations.squares - deviations.sum * deviations.sum * steps.inverse;
  }

  // Adds the sums of the valid values of v, `steps` of them.
  template <typename Values, typename Sums, typename Count>
  __device__ __forceinline__ void AddTo(Accumulator<float, Count>* to, const Values& v,
                                        const Sums& needed, const Steps& steps) const {
    if (needed.central) {
      if (to->steps == 0) to->pivot = v.Any();
      // The product is exact.
      const double distance = __fma_rn(-static_cast<double>(steps.count), to->pivot, sum) + rest;
      to->deviations.Add(around_mean + distance * distance * steps.inverse);
      to->rest += rest;
    }
    if (needed.sum) to->sum.Add(sum);
    if (needed.squares) to->squares.Add(squares);
  }
};

// Adds a chunk to kCount accumulators, except its extremes. values_of(v) are the values for
// accumulator v. Bit v of the result says whether one of these is NaN.
template <typename T, bool kIsWhole, typename Sums, typename ValuesOf, typename Count, int kCount>
__device__ __forceinline__ uint32_t AddSums(const ValuesOf& values_of, const Sums& needed,
                                            Accumulator<float, Count> (&accumulators)[kCount]) {
  uint32_t nans = 0;
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    const auto values = values_of(v);
    const Steps steps = Steps::Of<kIsWhole>(values.Steps());
    if (!kIsWhole && steps.count == 0) continue;
    ChunkSums chunk = {};
    chunk.Add(values, needed, steps);
    nans |= static_cast<uint32_t>(chunk.values.squares != chunk.values.squares)
            << v;  // a sum of squares is NaN only where a value is
    WideSums wide = {};
    wide.Widen<kIsWhole>(chunk, needed, steps);
    if constexpr (kMayLeaveRange<T>) {
      if (!chunk.AreInRange(needed)) wide.Repeat(values, chunk, needed, steps);
    }
    wide.AddTo(&accumulators[v], values, needed, steps);
    accumulators[v].steps += steps.count;
  }
  return nans;
}

// ------------------------------------------------------------------------------------------------
// float64

// Adds the squared deviations of a chunk to those of the steps before it.
template <typename Values, typename Count>
__device__ __forceinline__ void AddCentral(const Values& v, int32_t steps, double sum,
                                           Accumulator<double, Count>* to) {
  const double before = to->steps == 0 ? 0 : to->Total() / static_cast<double>(to->steps);
  const double mean = sum / steps;
  const double distance = mean - before;
  const auto deviations = PowersOf(v, [&](int i) { return v.IsValid(i) ? v[i] - mean : 0.0; });
  to->deviations.Add(deviations.squares +
                     distance * distance * core::DistanceWeight(steps, to->steps));
  to->rest += deviations.sum + __fma_rn(steps, mean, -sum);
}

template <typename T, bool kIsWhole, typename Sums, typename ValuesOf, typename Count, int kCount>
__device__ __forceinline__ uint32_t AddSums(const ValuesOf& values_of, const Sums& needed,
                                            Accumulator<double, Count> (&accumulators)[kCount]) {
  uint32_t nans = 0;
#pragma unroll
  for (int v = 0; v < kCount; ++v) {
    const auto values = values_of(v);
    const int32_t steps = values.Steps();
    if (!kIsWhole && steps == 0) continue;
    auto& to = accumulators[v];
    const auto [sum, squares, none] = PowersOf(values, [&](int i) { return values[i]; });
    nans |= static_cast<uint32_t>(squares != squares) << v;
    if (needed.central) AddCentral(values, steps, sum, &to);
    if (needed.sum) to.sum.Add(sum);
    if (needed.squares) to.squares.Add(squares);
    to.steps += steps;
  }
  return nans;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_ACCUMULATE_CUH_
