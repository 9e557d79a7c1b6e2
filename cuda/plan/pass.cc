#include "cuda/plan/pass.h"

#include <algorithm>

#include "cc/core/dtype.h"

namespace statpool {
namespace cuda {
namespace {

constexpr int64_t kRegisters = 65536;   // of a multiprocessor, on every device
constexpr int64_t kSystemBytes = 1024;  // of shared memory, which the system takes for each block

}  // namespace

Pass PassOf(const core::Problem& problem, const Device& device, bool is_forward) {
  const int64_t compute_bytes = core::ComputeBytesOf(problem.dtype);
  return {is_forward, problem.shape.time, core::BytesOf(problem.dtype),
          is_forward ? AccumulatorBytes(core::DefaultSums(), compute_bytes, sizeof(int32_t))
                     : CoefficientBytes(core::DefaultGradientTerms(), compute_bytes),
          device};
}

int64_t SharedBytes(const LaunchPlan& plan, const Pass& pass, bool has_channel_kernel) {
  const int64_t warps = plan.block / kWarpThreads;
  const int64_t chunks =
      plan.vector_width > 1 ? warps * ChunkBytes(pass.ChunksAhead(), pass.ChunkRows()) : 0;
  if (!pass.is_forward)
    return chunks + SlotsBytes(plan.groups * ChannelsOfGroup(plan), pass.slot_bytes);
  int64_t slots = plan.block;
  if (!has_channel_kernel || !IsOneChannel(plan)) {
    slots *= plan.vector_width;
    if (HoldsHalf(pass.Threads() * plan.vector_width, pass.slot_bytes)) slots /= 2;
  }
  return std::max(chunks, SlotsBytes(slots, pass.slot_bytes));
}

int64_t Resident(const LaunchPlan& plan, const Pass& pass) {
  const Device& device = pass.device;
  const int64_t registers = pass.is_forward
                                ? ForwardRegisters(pass.element_bytes, IsOneChannel(plan))
                                : kGradientRegisters;
  const int64_t warps = plan.block / kWarpThreads;
  const int64_t shared = SharedBytes(plan, pass, true);
  return std::max<int64_t>(std::min({int64_t{device.blocks}, int64_t{device.threads / plan.block},
                                     kRegisters / (registers * kWarpThreads) / warps,
                                     device.shared_bytes / (shared + kSystemBytes)}),
                           1);
}

}  // namespace cuda
}  // namespace statpool
