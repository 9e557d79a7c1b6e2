// The second launch of a forward pass with splits: joins their partial results.
#ifndef STATPOOL_CUDA_FORWARD_JOIN_KERNEL_CUH_
#define STATPOOL_CUDA_FORWARD_JOIN_KERNEL_CUH_

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/arguments.h"
#include "cuda/divisor.h"
#include "cuda/forward/accumulator.cuh"
#include "cuda/forward/join.cuh"
#include "cuda/forward/partials.cuh"
#include "cuda/forward/results.cuh"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// A block owns eight channels, a warp one of them, a thread every 32nd split of it.
template <typename T, typename Sums>
__global__ void __launch_bounds__(kJoinThreads)
    GlobalStatsJoinKernel(const __grid_constant__ ForwardArguments a,
                          const __grid_constant__ JoinPlan plan, const Sums needed) {
  using AccumulatorOf = Accumulator<core::ComputeType<T>, int64_t>;
  const auto tid = static_cast<int32_t>(threadIdx.x);
  const int32_t number = tid / kWarpThreads;
  const int32_t thread = tid % kWarpThreads;
  const int64_t channels = a.shape.batch * a.shape.channels;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    const int64_t channel = block * (kJoinThreads / kWarpThreads) + number;
    AccumulatorOf accumulator;
    accumulator.Clear();
    if (channel < channels) {
#pragma unroll 4
      for (int32_t split = thread; split < a.plan.splits; split += kWarpThreads) {
        AccumulatorOf part;
        LoadPartial(a, needed, channel, split, &part);
        Join(needed, part, &accumulator);
      }
    }
    const JoinGroup warp = {channel < channels, number, kWarpThreads, thread, kWarpThreads, 1};
    JoinChannel(needed, warp, /*are_in_warps=*/true, nullptr, &accumulator,
                [&](const AccumulatorOf& joined) {
                  const int64_t b = QuotientOfAny(channel, plan.by_channels);
                  StoreResults<T>(a, needed, joined, b, channel - b * a.shape.channels);
                });
  }
}

// Enqueues the second launch if there is one.
template <typename T>
cudaError_t LaunchJoin(const ForwardArguments& a, const JoinPlan& join, cudaStream_t stream) {
  if (join.grid == 0) return cudaSuccess;
  WithFewSums(a.needed, [&](const auto& needed) {
    GlobalStatsJoinKernel<T>
        <<<static_cast<unsigned>(join.grid), kJoinThreads, 0, stream>>>(a, join, needed);
  });
  return cudaGetLastError();
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_JOIN_KERNEL_CUH_
