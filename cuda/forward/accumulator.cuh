// The accumulator that a thread keeps in registers for a channel, or for some of its steps, and how
// two accumulators of the same channel join.
#ifndef STATPOOL_CUDA_FORWARD_ACCUMULATOR_CUH_
#define STATPOOL_CUDA_FORWARD_ACCUMULATOR_CUH_

#include <cstdint>
#include <limits>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cc/core/statistics.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// A sum in double. For 2^31 float or 16-bit values it loses less than the contract allows, so only
// that of double input has the error term (core::AddCompensated).
template <typename Compute>
struct Sum {
  static constexpr bool kCompensated = std::is_same_v<Compute, double>;
  double value;
  double error;

  __device__ void Clear() { value = error = 0; }

  __device__ void Add(double term) {
    if constexpr (kCompensated) {
      core::AddCompensated(term, &value, &error);
    } else {
      value += term;
    }
  }

  __device__ void Join(const Sum& part) {
    Add(part.value);
    if constexpr (kCompensated) error += part.error;
  }

  // The sum with its error, rounded to double.
  __device__ double Value() const {
    return kCompensated ? core::CompensatedValue(value, error) : value;
  }
};

// Count has 32 bits for the steps of a split, whose plan says that they fit (kMaxRows), and 64 bits
// for those of all splits.
//
// Deviations of float input are taken from `pivot`, which is one of the values or the mean of some.
// That makes their squares larger, by a factor of the number of steps of a split, or of splits, at
// most, for which double has bits to spare. float64 has none, so its deviations are taken from the
// mean.
template <typename C, typename Count>
struct Accumulator {
  using Compute = C;
  static_assert(core::kSumCount == 5, "every sum has a line in Clear, Set, ForEachNumber and Join");

  Sum<Compute> sum;
  Sum<Compute> squares;
  Sum<Compute> deviations;
  // What rounding took from sum, or, where that has error terms of its own, from the sums of
  // chunks: deviations need the unrounded mean.
  Compute rest;
  Compute pivot;
  Compute max;
  Compute min;
  Count max_count;  // steps that equal max
  Count min_count;
  Count steps;  // valid ones

  // The sum of all values in double, with what rounding took from it.
  __device__ double Total() const {
    if constexpr (!Sum<Compute>::kCompensated) return sum.value + rest;
    return core::CompensatedValue(sum.value, sum.error + rest);
  }

  // The sum of the values' distances from `pivot`; its first product is exact.
  __device__ double Distance() const {
    return __fma_rn(-static_cast<double>(steps), pivot, sum.value) + rest;
  }

  // The sum of the squared deviations from the mean. `inverse` is 1 / steps.
  __device__ double AroundMean(double inverse) const {
    if constexpr (Sum<Compute>::kCompensated) return deviations.Value();
    const double distance = Distance();
    const double around_mean = deviations.value - distance * distance * inverse;
    return around_mean < 0 ? 0 : around_mean;
  }

  // Makes the rounded mean the pivot.
  __device__ void Centre() {
    if (Sum<Compute>::kCompensated || steps == 0) return;
    const double inverse = 1.0 / static_cast<double>(steps);
    deviations.value = AroundMean(inverse);
    pivot = static_cast<Compute>(Total() * inverse);
    const double distance = Distance();
    deviations.value += distance * distance * inverse;
  }

  // Sets the accumulator to that of a single value.
  __device__ void Set(Compute value) {
    Clear();
    sum.value = value;
    squares.value = double{value} * value;
    pivot = max = min = value;
    max_count = min_count = value == value;
    steps = 1;
  }

  __device__ void Clear() {
    constexpr Compute kInfinity = std::numeric_limits<Compute>::infinity();
    sum.Clear();
    squares.Clear();
    deviations.Clear();
    rest = pivot = 0;
    max = -kInfinity;
    min = kInfinity;
    max_count = min_count = steps = 0;
  }
};

// The deviations of float64 are taken from the mean.
template <typename AccumulatorOf>
constexpr bool kHasPivot = !Sum<typename AccumulatorOf::Compute>::kCompensated;

// Calls visit(whether it is needed, &number) for every number of an accumulator that a kernel for
// Sums may need. Those of 8 bytes come first or last, so that arrays of all of them, one after the
// other, are aligned.
template <typename Sums, typename Visit, typename AccumulatorOf>
__host__ __device__ __forceinline__ constexpr void ForEachNumber(const Sums& needed, Visit&& visit,
                                                                 AccumulatorOf* accumulator) {
  constexpr Sums kMost = core::kMost<Sums>;
  const auto visit_sum = [&visit](bool is_needed, Sum<typename AccumulatorOf::Compute>* sum) {
    visit(is_needed, &sum->value);
    if constexpr (Sum<typename AccumulatorOf::Compute>::kCompensated) visit(is_needed, &sum->error);
  };
  if (kMost.sum) visit_sum(needed.sum, &accumulator->sum);
  if (kMost.squares) visit_sum(needed.squares, &accumulator->squares);
  if (kMost.central) visit_sum(needed.central, &accumulator->deviations);
  visit(true, &accumulator->steps);
  if (kMost.max) visit(needed.max, &accumulator->max_count);
  if (kMost.min) visit(needed.min, &accumulator->min_count);
  if (kMost.central) visit(needed.central, &accumulator->rest);
  if constexpr (kMost.central && kHasPivot<AccumulatorOf>) {
    visit(needed.central, &accumulator->pivot);
  }
  if (kMost.max) visit(needed.max, &accumulator->max);
  if (kMost.min) visit(needed.min, &accumulator->min);
}

// Bytes of a slot for the numbers of an accumulator.
template <typename AccumulatorOf, typename Sums>
constexpr int64_t kAccumulatorBytes =
    AccumulatorBytes(core::kMost<Sums>, sizeof(typename AccumulatorOf::Compute),
                     sizeof(decltype(AccumulatorOf::steps)));

template <typename AccumulatorOf, typename Sums>
constexpr int64_t VisitedBytes() {
  AccumulatorOf accumulator = {};
  int64_t bytes = 0;
  ForEachNumber(
      core::kMost<Sums>, [&bytes](bool, auto* number) { bytes += sizeof *number; }, &accumulator);
  return bytes;
}

// Joins the deviations from two pivots, or those of float64 from two means (core::DistanceWeight).
// Must come before the sums are joined.
template <typename AccumulatorOf>
__device__ __forceinline__ void JoinCentral(const AccumulatorOf& part, AccumulatorOf* to) {
  if constexpr (kHasPivot<AccumulatorOf>) {
    if (to->steps == 0) to->pivot = part.pivot;
    const double shift = double{part.pivot} - to->pivot;
    const double moved = 2 * part.Distance() + static_cast<double>(part.steps) * shift;
    to->deviations.Add(part.deviations.value + shift * moved);
  } else {
    if (part.steps == 0) return;
    const double mean = to->steps == 0 ? 0 : to->Total() / static_cast<double>(to->steps);
    const double distance = part.Total() / static_cast<double>(part.steps) - mean;
    to->deviations.Join(part.deviations);
    to->deviations.Add(distance * distance * core::DistanceWeight(part.steps, to->steps));
  }
  to->rest += part.rest;
}

// `beats` says whether `part` is beyond *to. NaN wins, and equals nothing.
template <typename Compute, typename Count>
__device__ __forceinline__ void JoinExtreme(Compute part, Count part_count, bool beats, Compute* to,
                                            Count* count) {
  if (part != part || beats) {
    *to = part;
    *count = part_count;
  } else if (part == *to) {
    *count += part_count;
  }
}

template <typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void Join(const Sums& needed, const AccumulatorOf& part,
                                     AccumulatorOf* to) {
  if (needed.central) JoinCentral(part, to);
  if (needed.sum) to->sum.Join(part.sum);
  if (needed.squares) to->squares.Join(part.squares);
  if (needed.max)
    JoinExtreme(part.max, part.max_count, part.max > to->max, &to->max, &to->max_count);
  if (needed.min)
    JoinExtreme(part.min, part.min_count, part.min < to->min, &to->min, &to->min_count);
  to->steps += part.steps;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_ACCUMULATOR_CUH_
