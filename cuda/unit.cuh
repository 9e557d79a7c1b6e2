// Which unit of work a thread's group owns, which of its columns and rows the thread does, and
// which of the steps there count.
#ifndef STATPOOL_CUDA_UNIT_CUH_
#define STATPOOL_CUDA_UNIT_CUH_

#include <cstdint>

#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

struct Unit {
  bool is_active;  // whether the thread has columns of a unit
  int32_t group;   // within the block
  int32_t thread;  // within the group
  int64_t b;
  int64_t slab;
  int64_t split;
  int64_t first_column;  // of the tile
  int64_t column;        // of the thread
  int64_t first_row;     // of the thread
  int64_t end_row;       // of the split
};

// For block `block` of plan.blocks.
__device__ __forceinline__ Unit UnitOf(const LaunchPlan& plan, int64_t channels, int64_t block) {
  Unit unit;
  const uint32_t tid = threadIdx.x;
  unit.group = tid / static_cast<uint32_t>(plan.group_threads);
  unit.thread = tid % static_cast<uint32_t>(plan.group_threads);
  const uint32_t y = static_cast<uint32_t>(unit.thread) / static_cast<uint32_t>(plan.threads_x);
  const uint32_t x = static_cast<uint32_t>(unit.thread) % static_cast<uint32_t>(plan.threads_x);
  const int64_t index = block * plan.groups + unit.group;
  const int64_t tile = index % plan.tiles;
  const int64_t part = index / plan.tiles;
  unit.split = part % plan.splits;
  unit.slab = part / plan.splits;
  unit.b = unit.slab * plan.width / channels;
  unit.first_column = tile * plan.threads_x * plan.vector_width;
  unit.column = unit.first_column + static_cast<int64_t>(x) * plan.vector_width;
  const int64_t split_row = unit.split * plan.rows_per_split;
  unit.first_row = split_row + y;
  unit.end_row = min(split_row + plan.rows_per_split, plan.rows);
  unit.is_active = unit.group < plan.groups && y < plan.threads_y && index < plan.units &&
                   unit.column < plan.fold * plan.width;
  return unit;
}

// The steps of an example that count.
struct ValidSteps {
  const bool* mask;  // of the example, or null
  int64_t end;       // 0 <= end <= T; the mask excludes further steps below it

  __device__ bool operator()(int64_t step) const {
    return step < end && (mask == nullptr || mask[step]);
  }
};

__device__ __forceinline__ ValidSteps ValidStepsOf(const bool* mask, const int64_t* lengths,
                                                   int64_t b, int64_t time) {
  const int64_t length = lengths == nullptr ? time : lengths[b];
  return {mask == nullptr ? nullptr : mask + b * time, min(max(length, int64_t{0}), time)};
}

// The lanes of a thread's vector in a row that count: bit v for lane v.
template <int kVector>
__device__ __forceinline__ uint32_t ValidLanes(const LaunchPlan& plan, const ValidSteps& is_valid,
                                               int64_t column, int64_t row) {
  constexpr uint32_t kAll = (1u << kVector) - 1;
  if (plan.fold == 1) return is_valid(row) ? kAll : 0;
  const int64_t first_step = row * plan.fold;
  uint32_t valid = 0;
  for (int v = 0; v < kVector; ++v) {
    // A folded row is short.
    const uint32_t step = static_cast<uint32_t>(column + v) / static_cast<uint32_t>(plan.width);
    valid |= static_cast<uint32_t>(is_valid(first_step + step)) << v;
  }
  return valid;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_UNIT_CUH_
