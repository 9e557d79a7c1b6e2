// Adds a chunk of steps to a lane. 16-bit and float32 values are summed by pairs in float, and only
// what eight of them come to enters the double accumulators: an eighth of a double operation for
// each sum and element, which even cards with few double units hide behind the memory.
#ifndef STATPOOL_CUDA_ACCUMULATE_CUH_
#define STATPOOL_CUDA_ACCUMULATE_CUH_

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cc/core/problem.h"
#include "cuda/lane.cuh"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

constexpr int kRows = kForwardRows;
constexpr uint32_t kAllRows = (1u << kRows) - 1;

// term(first) + ... + term(first + kTerms - 1), by pairs: an error of log2(kTerms) roundings.
template <int kTerms, typename V, typename Term>
__device__ __forceinline__ V PairwiseSum(const Term& term, int first = 0) {
  if constexpr (kTerms == 1) {
    return term(first);
  } else {
    return PairwiseSum<kTerms / 2, V>(term, first) +
           PairwiseSum<kTerms / 2, V>(term, first + kTerms / 2);
  }
}

// A sum of kRows squares in float lies within the contract's bounds if it lies between these:
// below, terms may have vanished, and above, a sum of the values themselves may overflow.
constexpr float kLeastPower = 0x1p-110f;
constexpr float kMostPower = 0x1p127f;

// Sums of `v`, which is 0 in rows that don't count, and of its squares. Chunks that leave the range
// of float are summed again in double, unless all is 0; float16 never does.
template <typename T, typename Needs>
__device__ __forceinline__ void AddSums(const float (&v)[kRows], float squares, const Needs& needs,
                                        Sum<float>* sum_to, Sum<float>* squares_to) {
  double wide_sum = PairwiseSum<kRows, float>([&](int r) { return v[r]; });
  double wide_squares = squares;
  if constexpr (!std::is_same_v<T, core::Float16>) {
    if (!(squares >= kLeastPower && squares < kMostPower)) {
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
  if (needs.sum) sum_to->Add(wide_sum);
  if (needs.squares) squares_to->Add(wide_squares);
}

template <typename T, typename Needs>
__device__ __forceinline__ void AddSums(const double (&v)[kRows], double squares,
                                        const Needs& needs, Sum<double>* sum_to,
                                        Sum<double>* squares_to) {
  if (needs.sum) sum_to->Add(PairwiseSum<kRows, double>([&](int r) { return v[r]; }));
  if (needs.squares) squares_to->Add(squares);
}

// Joins the mean and the deviations of a chunk to those of the steps before, in double.
template <typename Compute, typename Count>
__device__ __forceinline__ void AddCentral(const Compute (&v)[kRows], uint32_t valid,
                                           Lane<Compute, Count>* lane) {
  const int steps = __popc(valid);
  if (steps == 0) return;
  const double before = lane->steps == 0 ? 0 : lane->total / static_cast<double>(lane->steps);
  const auto value = [&](int r) { return static_cast<double>(v[r]); };
  const double total = PairwiseSum<kRows, double>(value);
  const double mean = total / steps;
  const double distance = mean - before;
  const double deviations = PairwiseSum<kRows, double>([&](int r) {
    const double deviation = value(r) - mean;
    return valid >> r & 1 ? deviation * deviation : 0.0;
  });
  lane->deviations.Add(deviations + distance * distance * core::DistanceWeight(steps, lane->steps));
  lane->total += total;
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

// Adds the rows that `valid` has bits for. In the others, v must be 0. kAll: there are none.
template <bool kAll, typename T, typename Needs, typename Count>
__device__ __forceinline__ void AddChunk(const core::ComputeType<T> (&v)[kRows], uint32_t valid,
                                         const Needs& needs,
                                         Lane<core::ComputeType<T>, Count>* lane) {
  using Compute = core::ComputeType<T>;
  const Compute squares = PairwiseSum<kRows, Compute>([&](int r) { return v[r] * v[r]; });
  const bool is_nan = squares != squares;  // and only then: squares never cancel
  Compute candidates[kRows];
  for (int r = 0; r < kRows; ++r) {
    candidates[r] = kAll || valid >> r & 1 ? v[r] : std::numeric_limits<Compute>::quiet_NaN();
  }
  if (needs.max) UpdateExtreme<1>(candidates, is_nan, &lane->max, &lane->max_count);
  if (needs.min) UpdateExtreme<-1>(candidates, is_nan, &lane->min, &lane->min_count);
  if (needs.central) AddCentral(v, valid, lane);
  AddSums<T>(v, squares, needs, &lane->sum, &lane->squares);
  lane->steps += kAll ? kRows : __popc(valid);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_ACCUMULATE_CUH_
