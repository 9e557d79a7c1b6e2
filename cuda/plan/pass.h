// What of a pass its plan depends on, and how many blocks of a plan a multiprocessor holds.
#ifndef STATPOOL_CUDA_PLAN_PASS_H_
#define STATPOOL_CUDA_PLAN_PASS_H_

#include <algorithm>
#include <cstdint>

#include "cc/core/problem.h"
#include "cuda/device_properties.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

constexpr int64_t kSectorBytes = 32;  // the least that the memory delivers

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The same for all statistics: a call is planned as one with the default statistics, because each
// statistic must have the same bits alone and among others.
struct Pass {
  bool is_forward;
  int64_t time;
  int64_t element_bytes;
  int64_t slot_bytes;  // of an accumulator, or of a channel's coefficients, in shared memory
  Device device;

  int64_t ChunkRows() const { return is_forward ? kForwardRows : kGradientRows; }
  int64_t Threads() const { return BlockThreads(element_bytes); }

  int64_t ChunksAhead() const {
    if (device.architecture < 80) return 0;
    return is_forward ? ForwardChunksAhead(element_bytes)
                      : GradientChunksAhead(element_bytes, slot_bytes);
  }
};

Pass PassOf(const core::Problem& problem, const Device& device, bool is_forward);

inline int64_t ChannelsOfGroup(const LaunchPlan& plan) {
  return std::min<int64_t>(plan.width, int64_t{plan.threads_x} * plan.vector_width);
}

// Shared memory of a block, for statistics that have a kernel for vectors of one channel or not.
int64_t SharedBytes(const LaunchPlan& plan, const Pass& pass, bool has_channel_kernel);

// Blocks that a multiprocessor holds at a time.
int64_t Resident(const LaunchPlan& plan, const Pass& pass);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_PLAN_PASS_H_
