// What is kept of each split of time until all are joined: an array [B, splits, C] for every field
// of a lane, its counts in 64 bits.
#ifndef STATPOOL_CUDA_PARTIALS_CUH_
#define STATPOOL_CUDA_PARTIALS_CUH_

#include <cstdint>

#include "cuda/arguments.h"
#include "cuda/lane.cuh"

namespace statpool {
namespace cuda {

// Calls move(&field, its place) for the partial result of (slab, split, column).
template <typename Needs, typename Compute, typename Move>
__device__ __forceinline__ void VisitPartial(const ForwardArguments& a, const Needs& needs,
                                             int64_t slab, int64_t split, int64_t column,
                                             Lane<Compute, int64_t>* lane, const Move& move) {
  const int64_t size = a.plan.slabs * a.plan.splits * a.plan.width;
  const int64_t index = (slab * a.plan.splits + split) * a.plan.width + column;
  char* row = static_cast<char*>(a.workspace);
  const auto visit = [&](auto* field) {
    move(field, reinterpret_cast<decltype(field)>(row) + index);
    row += size * static_cast<int64_t>(sizeof *field);
  };
  ForEachField(needs, visit, lane);
}

template <typename Needs, typename Compute>
__device__ __forceinline__ void StorePartial(const ForwardArguments& a, const Needs& needs,
                                             const Lane<Compute, int32_t>& lane, int64_t slab,
                                             int64_t split, int64_t column) {
  Lane<Compute, int64_t> wide;
  wide.sum = lane.sum;
  wide.squares = lane.squares;
  wide.deviations = lane.deviations;
  wide.total = lane.total;
  wide.max = lane.max;
  wide.min = lane.min;
  wide.max_count = lane.max_count;
  wide.min_count = lane.min_count;
  wide.steps = lane.steps;
  VisitPartial(a, needs, slab, split, column, &wide,
               [](auto* field, auto* place) { *place = *field; });
}

template <typename Needs, typename Compute>
__device__ __forceinline__ void LoadPartial(const ForwardArguments& a, const Needs& needs,
                                            int64_t slab, int64_t split, int64_t column,
                                            Lane<Compute, int64_t>* lane) {
  VisitPartial(a, needs, slab, split, column, lane,
               [](auto* field, auto* place) { *field = *place; });
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_PARTIALS_CUH_
