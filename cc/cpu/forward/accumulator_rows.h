// The accumulators of a unit of work: a row of numbers for each sum and extreme. A lane of the row
// holds a channel, or some steps of a channel until cc/cpu/forward/join.h joins its lanes.
#ifndef STATPOOL_CPU_FORWARD_ACCUMULATOR_ROWS_H_
#define STATPOOL_CPU_FORWARD_ACCUMULATOR_ROWS_H_

#include <algorithm>
#include <limits>

#include "cc/core/accumulators.h"
#include "cc/core/statistics.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

static_assert(kVectorBytes <= kMaxVectorBytes, "no vector is longer than plans assume");
static_assert(kMostLanes % kLanes<float> == 0, "a last vector that overlaps stays within a row");

// Rows are longer than they need to be, so that equal lanes of two rows are not a multiple of 4096
// bytes apart: a load would wait for the store to the other row.
template <typename E, int64_t kCapacity>
constexpr int64_t kRowLanes = kCapacity + (kCapacity < kMostLanes ? 64 : 512) / sizeof(E);

// Sums in double. 2^31 float or 16-bit values lose less there than the contract allows, so only
// double input carries the error terms (core::AddCompensated).
template <typename Compute, int64_t kCapacity>
struct SumRows {
  static constexpr bool kCompensated = std::is_same_v<Compute, double>;
  alignas(64) double value[kRowLanes<double, kCapacity>];
  alignas(64) double error[kCompensated ? kRowLanes<double, kCapacity> : 1];

  void Clear(int64_t lanes) {
    std::fill_n(value, lanes, 0.0);
    if (kCompensated) std::fill_n(error, lanes, 0.0);
  }

  template <int N>
  __attribute__((always_inline)) void Add(const Vec<double, N>& term, int64_t i) {
    using D = Vec<double, N>;
    D total = LoadRaw<D>(value + i);
    if constexpr (kCompensated) {
      D lost = LoadRaw<D>(error + i);
      core::AddCompensated(term, &total, &lost);
      StoreRaw(lost, error + i);
    } else {
      total += term;
    }
    StoreRaw(total, value + i);
  }

  // N sums, rounded to double.
  template <int N>
  __attribute__((always_inline)) Vec<double, N> Value(int64_t i) const {
    using D = Vec<double, N>;
    const D sum = LoadRaw<D>(value + i);
    if constexpr (!kCompensated) return sum;
    return core::CompensatedValue(sum, LoadRaw<D>(error + i));
  }
};

// How many steps equal an extreme. A lane of float gets at most 2^30 steps (cc/cpu/plan.cc).
template <typename Compute>
using LaneCount = std::conditional_t<std::is_same_v<Compute, double>, int64_t, int32_t>;

template <typename C, int64_t kLaneCapacity, typename K = LaneCount<C>>
struct AccumulatorRows {
  using Compute = C;
  using Count = K;
  static constexpr int64_t kCapacity = kLaneCapacity;
  using Sum = SumRows<Compute, kCapacity>;

  Sum sum;
  Sum squares;
  Sum deviations;
  // For the mean of the deviations: the sum all in double, where `sum` has parts in float; what
  // rounding took from the terms of `sum` where that has error terms of its own.
  alignas(64) double unrounded[kRowLanes<double, kCapacity>];
  alignas(64) Compute max[kRowLanes<Compute, kCapacity>];
  alignas(64) Compute min[kRowLanes<Compute, kCapacity>];
  alignas(64) Count max_count[kRowLanes<Count, kCapacity>];
  alignas(64) Count min_count[kRowLanes<Count, kCapacity>];

  // N sums without what rounding took from them.
  template <int N>
  __attribute__((always_inline)) Vec<double, N> Total(int64_t i) const {
    using D = Vec<double, N>;
    const D row = LoadRaw<D>(unrounded + i);
    if constexpr (!Sum::kCompensated) return row;
    return core::CompensatedValue(LoadRaw<D>(sum.value + i), D(LoadRaw<D>(sum.error + i) + row));
  }

  void Clear(const core::NeededSums& needed, int64_t lanes) {
    constexpr Compute kInfinity = std::numeric_limits<Compute>::infinity();
    if (needed.sum) sum.Clear(lanes);
    if (needed.squares) squares.Clear(lanes);
    if (needed.central) {
      deviations.Clear(lanes);
      std::fill_n(unrounded, lanes, 0.0);
    }
    if (needed.max) {
      std::fill_n(max, lanes, -kInfinity);
      std::fill_n(max_count, lanes, 0);
    }
    if (needed.min) {
      std::fill_n(min, lanes, kInfinity);
      std::fill_n(min_count, lanes, 0);
    }
  }
};

// Calls visit(row...) with the same row of several accumulators, for every row that is needed.
template <typename Visit, typename... Rows>
void ForEachRow(const core::NeededSums& needed, const Visit& visit, Rows*... rows) {
  static_assert(core::kSumCount == 5,
                "a sum has a line here, in Clear, AccumulateLanes and JoinLanes");
  constexpr bool is_compensated = (std::remove_const_t<Rows>::Sum::kCompensated || ...);
  const auto visit_sum = [&visit](auto&... sum) {
    visit(sum.value...);
    if constexpr (is_compensated) visit(sum.error...);
  };
  if (needed.sum) visit_sum(rows->sum...);
  if (needed.squares) visit_sum(rows->squares...);
  if (needed.central) {
    visit(rows->unrounded...);
    visit_sum(rows->deviations...);
  }
  if (needed.max) {
    visit(rows->max...);
    visit(rows->max_count...);
  }
  if (needed.min) {
    visit(rows->min...);
    visit(rows->min_count...);
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_ACCUMULATOR_ROWS_H_
