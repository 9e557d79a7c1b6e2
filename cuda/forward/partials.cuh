// Partial results: the accumulators of the splits, which the first launch leaves in the workspace
// for the second one. There is an array [B, C, splits] for each number of an accumulator; counts
// have 64 bits.
#ifndef STATPOOL_CUDA_FORWARD_PARTIALS_CUH_
#define STATPOOL_CUDA_FORWARD_PARTIALS_CUH_

#include <cstdint>

#include "cuda/arguments.h"
#include "cuda/forward/accumulator.cuh"

namespace statpool {
namespace cuda {

// Calls move(&number, its place) for each number of a split's partial result. `channel` is one of
// [B * C].
template <typename Sums, typename Compute, typename Move>
__device__ __forceinline__ void VisitPartial(const ForwardArguments& a, const Sums& needed,
                                             int64_t channel, int64_t split,
                                             Accumulator<Compute, int64_t>* accumulator,
                                             const Move& move) {
  const int64_t size = a.plan.slabs * a.plan.width * a.plan.splits;
  const int64_t index = channel * a.plan.splits + split;
  char* array = static_cast<char*>(a.workspace);
  const auto visit = [&](bool is_needed, auto* number) {
    if (!is_needed) return;
    move(number, reinterpret_cast<decltype(number)>(array) + index);
    array += size * static_cast<int64_t>(sizeof *number);
  };
  ForEachNumber(needed, visit, accumulator);
}

template <typename Sums, typename Compute>
__device__ __forceinline__ void StorePartial(const ForwardArguments& a, const Sums& needed,
                                             const Accumulator<Compute, int32_t>& accumulator,
                                             int64_t channel, int64_t split) {
  static_assert(core::kSumCount == 5, "every sum is copied");
  Accumulator<Compute, int64_t> wide;
  wide.sum = accumulator.sum;
  wide.squares = accumulator.squares;
  wide.deviations = accumulator.deviations;
  wide.rest = accumulator.rest;
  wide.pivot = accumulator.pivot;
  wide.max = accumulator.max;
  wide.min = accumulator.min;
  wide.max_count = accumulator.max_count;
  wide.min_count = accumulator.min_count;
  wide.steps = accumulator.steps;
  if (needed.central) wide.Centre();
  VisitPartial(a, needed, channel, split, &wide,
               [](auto* number, auto* place) { *place = *number; });
}

template <typename Sums, typename Compute>
__device__ __forceinline__ void LoadPartial(const ForwardArguments& a, const Sums& needed,
                                            int64_t channel, int64_t split,
                                            Accumulator<Compute, int64_t>* accumulator) {
  VisitPartial(a, needed, channel, split, accumulator,
               [](auto* number, auto* place) { *number = *place; });
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_PARTIALS_CUH_
