// Forward pass: statistics over time of [B, T, C] or [B, C, T], in one read of the valid steps.
// Read first the words in cuda/launch_plan.h, then the kernel, then what it calls in this order:
// UnitOf, AddRows, ThreadSums, JoinCopies, StoreResults.
#ifndef STATPOOL_CUDA_FORWARD_GLOBAL_STATS_KERNELS_CUH_
#define STATPOOL_CUDA_FORWARD_GLOBAL_STATS_KERNELS_CUH_

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/arguments.h"
#include "cuda/forward/add_rows.cuh"
#include "cuda/forward/join.cuh"
#include "cuda/forward/join_kernel.cuh"
#include "cuda/forward/partials.cuh"
#include "cuda/forward/results.cuh"
#include "cuda/forward/thread_sums.cuh"
#include "cuda/kernels.h"
#include "cuda/launch_plan.h"
#include "cuda/thread/unit.cuh"

namespace statpool {
namespace cuda {

// ------------------------------------------------------------------------------------------------
// Kernel

extern __shared__ uint4 shared[];  // LaunchPlan::shared_bytes of a block

// Whether ptxas has fewer registers to give than elsewhere.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
constexpr bool kHasFewRegisters = true;
#else
constexpr bool kHasFewRegisters = false;
#endif

// A block owns plan.groups units, a group of threads one unit, a thread kVector neighbouring
// columns of every threads_y-th row of it. With kIsOneChannel the columns are steps of one channel.
template <typename T, int kVector, bool kIsOneChannel, typename Sums>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)),
                                  ForwardBlocks(sizeof(T), kAreKnown<Sums>))
    GlobalStatsForwardKernel(const __grid_constant__ ForwardArguments a, const Sums needed) {
  using SumsOf = ThreadSums<T, kVector, kIsOneChannel, Sums>;
  using AccumulatorOf = typename SumsOf::AccumulatorOf;
  const LaunchPlan& plan = a.plan;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    Unit unit = UnitOf(plan, block);
    const ValidSteps is_valid = ValidStepsOf(plan, a.mask, a.lengths, unit, a.shape.time);
    const T* x = static_cast<const T*>(a.x) + RowZero(plan, is_valid, unit, a.shape.time);
    // A row that is cut is added by itself, or with those after it.
    const bool adds_rows = SumsOf::kAddsRows || (kIsOneChannel && a.mask == nullptr);
    const int32_t head_rows = adds_rows ? 1 : kForwardRows;
    const ForwardChunks<T, kVector> chunks(plan, is_valid, unit, x, head_rows, /*is_read=*/true,
                                           shared);
    SumsOf sums(needed);
    if (unit.is_active) AddRows(plan, a.activation, is_valid, unit, x, chunks, &sums);
    sums.Finish();
    if constexpr (core::kMost<Sums>.central ||
                  sizeof(T) == 2 && (kIsOneChannel || kHasFewRegisters)) {
      // Computed again, because keeping it would take registers of the loop, which needs all.
      asm volatile("" : "+l"(block));
      unit = UnitOf(plan, block);
    }
    const auto store = [&](int64_t channel, const AccumulatorOf& joined) {
      if (plan.splits > 1) {
        StorePartial(a, needed, joined, unit.slab * plan.width + channel, unit.split);
      } else {
        StoreResults<T>(a, needed, joined, unit.b, unit.first_channel + channel);
      }
    };
    const bool is_tiled = plan.tiles > 1;
    const int32_t stride = is_tiled ? plan.threads_x * kVector : static_cast<int32_t>(plan.width);
    const JoinGroup group = {unit.exists,
                             unit.group,
                             plan.group_threads,
                             unit.thread,
                             plan.threads_y * static_cast<int32_t>(plan.fold),
                             stride};
    if constexpr (kIsOneChannel) {
      const bool are_in_warps = kWarpThreads % plan.group_threads == 0;
      JoinChannel(needed, group, are_in_warps, shared, &sums.accumulators[0],
                  [&](const AccumulatorOf& joined) { store(0, joined); });
    } else {
      __syncthreads();  // others write over the thread's chunks
      JoinCopies<BlockThreads(sizeof(T))>(needed, group, shared, sums.accumulators,
                                          [&](int32_t i, const AccumulatorOf& joined) {
                                            const int64_t channel = unit.first_column + i;
                                            if (channel < plan.width) store(channel, joined);
                                          });
    }
  }
}

// ------------------------------------------------------------------------------------------------
// Launchers

template <typename T, int kVector, bool kIsOneChannel = false>
cudaError_t LaunchForwardOf(const ForwardArguments& a, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(a.plan.grid);
  const auto launch = [&](const auto& needed) {
    constexpr bool kIsThere = kHasChannelKernel<std::decay_t<decltype(needed)>>;
    GlobalStatsForwardKernel<T, kVector, kIsOneChannel && kIsThere>
        <<<grid, a.plan.block, a.plan.shared_bytes, stream>>>(a, needed);
  };
  if constexpr (kVector > 1) {
    WithKnownSums(a.needed, launch);
  } else {
    WithFewSums(a.needed, launch);
  }
  return cudaGetLastError();
}

template <typename T>
cudaError_t LaunchForward(const ForwardArguments& a, const JoinPlan& join, cudaStream_t stream) {
  constexpr int kWidest = kVectorBytes / sizeof(T);
  const cudaError_t error = a.plan.vector_width == 1 ? LaunchForwardOf<T, 1>(a, stream)
                            : IsOneChannel(a.plan)   ? LaunchForwardOf<T, kWidest, true>(a, stream)
                                                     : LaunchForwardOf<T, kWidest>(a, stream);
  return error != cudaSuccess ? error : LaunchJoin<T>(a, join, stream);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_GLOBAL_STATS_KERNELS_CUH_
