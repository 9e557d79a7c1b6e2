// What is accumulated of one lane, a channel or a part of its steps, and how two lanes of the same
// channel join.
#ifndef STATPOOL_CUDA_LANE_CUH_
#define STATPOOL_CUDA_LANE_CUH_

#include <cstdint>
#include <limits>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// A sum in double. 2^31 float or 16-bit values lose less there than the contract allows, so only
// double input carries the error term (core::AddCompensated).
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

  // The sum as well as a double can tell.
  __device__ double Value() const {
    return kCompensated ? core::CompensatedValue(value, error) : value;
  }
};

// The count of a split fits into 32 bits (cuda/launch_plan.cc); that of all of time may not.
template <typename C, typename Count>
struct Lane {
  using Compute = C;

  Sum<Compute> sum;
  Sum<Compute> squares;
  Sum<Compute> deviations;
  double total;  // sum for the deviations: a large mean must not be rounded
  Compute max;
  Compute min;
  Count max_count;  // steps that equal max
  Count min_count;
  Count steps;  // that count

  __device__ void Clear() {
    constexpr Compute kInfinity = std::numeric_limits<Compute>::infinity();
    sum.Clear();
    squares.Clear();
    deviations.Clear();
    total = 0;
    max = -kInfinity;
    min = kInfinity;
    max_count = min_count = steps = 0;
  }
};

// Calls visit(&field...) with the same field of each lane, for every one that is needed. Both
// wide and narrow fields come in runs, so that arrays of them stay aligned.
template <typename Needs, typename Visit, typename LaneOf>
__host__ __device__ __forceinline__ constexpr void ForEachField(const Needs& needs,
                                                                const Visit& visit, LaneOf* lane) {
  const auto visit_sum = [&visit](Sum<typename LaneOf::Compute>* sum) {
    visit(&sum->value);
    if constexpr (Sum<typename LaneOf::Compute>::kCompensated) visit(&sum->error);
  };
  if (needs.sum) visit_sum(&lane->sum);
  if (needs.squares) visit_sum(&lane->squares);
  if (needs.central) {
    visit_sum(&lane->deviations);
    visit(&lane->total);
  }
  visit(&lane->steps);
  if (needs.max) visit(&lane->max_count);
  if (needs.min) visit(&lane->min_count);
  if (needs.max) visit(&lane->max);
  if (needs.min) visit(&lane->min);
}

// All that a kernel with such needs may visit.
template <typename Needs>
constexpr Needs kMostNeeds = {true, true, true, true, true};
template <>
constexpr core::DefaultNeeds kMostNeeds<core::DefaultNeeds> = {};

// Room for the fields of a lane.
template <typename LaneOf, typename Needs>
constexpr int64_t kLaneBytes =
    LaneBytes(kMostNeeds<Needs>, sizeof(typename LaneOf::Compute), sizeof(decltype(LaneOf::steps)));

template <typename LaneOf, typename Needs>
constexpr int64_t VisitedBytes() {
  LaneOf lane = {};
  int64_t bytes = 0;
  ForEachField(kMostNeeds<Needs>, [&bytes](auto* field) { bytes += sizeof *field; }, &lane);
  return bytes;
}

// Joins deviations from two means (core::DistanceWeight).
template <typename LaneOf>
__device__ __forceinline__ void JoinCentral(const LaneOf& part, LaneOf* to) {
  if (part.steps == 0) return;
  const double mean = to->steps == 0 ? 0 : to->total / static_cast<double>(to->steps);
  const double distance = part.total / static_cast<double>(part.steps) - mean;
  to->deviations.Join(part.deviations);
  to->deviations.Add(distance * distance * core::DistanceWeight(part.steps, to->steps));
  to->total += part.total;
}

// NaN wins and equals nothing.
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

template <typename Needs, typename LaneOf>
__device__ __forceinline__ void JoinLane(const Needs& needs, const LaneOf& part, LaneOf* to) {
  if (needs.sum) to->sum.Join(part.sum);
  if (needs.squares) to->squares.Join(part.squares);
  if (needs.central) JoinCentral(part, to);
  if (needs.max)
    JoinExtreme(part.max, part.max_count, part.max > to->max, &to->max, &to->max_count);
  if (needs.min)
    JoinExtreme(part.min, part.min_count, part.min < to->min, &to->min, &to->min_count);
  to->steps += part.steps;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_LANE_CUH_
