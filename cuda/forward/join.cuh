// Joins the copies of each channel that the threads of a group hold, in a fixed order, and gives
// the result of each channel to one of the threads. JoinCopies does it where a thread has several
// channels, by way of shared memory; JoinChannel where all threads of a group have the same one, by
// shuffles.
#ifndef STATPOOL_CUDA_FORWARD_JOIN_CUH_
#define STATPOOL_CUDA_FORWARD_JOIN_CUH_

#include <cstdint>

#include "cuda/forward/accumulator.cuh"
#include "cuda/launch_plan.h"
#include "cuda/thread/shared_slots.cuh"

namespace statpool {
namespace cuda {

constexpr int32_t kCopiesOfLevel = 4;  // that a thread joins, if there are threads enough

// Accumulators in shared memory, each in a slot.
template <typename AccumulatorOf, typename Sums>
class JoinBuffer {
 public:
  static constexpr int64_t kBytes = kAccumulatorBytes<AccumulatorOf, Sums>;
  static_assert(VisitedBytes<AccumulatorOf, Sums>() == kBytes,
                "there is room for each number, and for no other");

  __device__ __forceinline__ JoinBuffer(const Sums& needed, void* bytes)
      : needed_(needed), slots_(bytes) {}

  __device__ __forceinline__ void Store(int32_t slot, AccumulatorOf* accumulator) const {
    ForEachNumber(needed_, slots_.Writer(slot), accumulator);
  }

  __device__ __forceinline__ void Load(int32_t slot, AccumulatorOf* accumulator) const {
    ForEachNumber(needed_, slots_.Reader(slot), accumulator);
  }

  // Joins slots first, first + step and so on, before `end`; there is at least one.
  __device__ __forceinline__ AccumulatorOf Joined(int32_t first, int32_t end, int32_t step) const {
    AccumulatorOf joined;
    Load(first, &joined);
#pragma unroll 1
    for (int32_t slot = first + step; slot < end; slot += step) {
      AccumulatorOf part;
      Load(slot, &part);
      Join(needed_, part, &joined);
    }
    return joined;
  }

 private:
  const Sums& needed_;
  SharedSlots<kBytes> slots_;
};

// A group of threads. Accumulator v of its thread t has index t * kVector + v; the copies of a
// channel are `stride` indices apart.
struct JoinGroup {
  bool exists;      // else its threads only take part in barriers
  int32_t number;   // of the group in the block
  int32_t threads;  // times kVector it is an even number
  int32_t thread;   // the thread's number in the group
  int32_t copies;   // of each channel; JoinCopies needs two or more
  int32_t stride;   // the channels of the group
};

// Calls use(i, accumulator) for each channel i of the group, with all its copies joined; the
// channels are shared out among the threads. Every thread of the block must call it. `bytes` is
// shared memory for as many accumulators as the plan says.
template <int kThreads, int kVector, typename Sums, typename AccumulatorOf, typename Use>
__device__ __forceinline__ void JoinCopies(const Sums& needed, const JoinGroup& group, void* bytes,
                                           AccumulatorOf (&accumulators)[kVector], const Use& use) {
  const JoinBuffer<AccumulatorOf, Sums> buffer(needed, bytes);
  constexpr bool kHoldsHalf = HoldsHalf(kThreads * kVector, kAccumulatorBytes<AccumulatorOf, Sums>);
  const int32_t room = group.threads * kVector / (kHoldsHalf ? 2 : 1);
  const int32_t base = group.number * room;
  // Stores the accumulators with indices in [first, first + count).
  const auto store = [&](int32_t first, int32_t count) {
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t index = group.thread * kVector + v - first;
      if (group.exists && index >= 0 && index < count) {
        buffer.Store(base + index, &accumulators[v]);
      }
    }
    __syncthreads();
  };

  // The upper half of the copies joins the lower half, which stays in registers, until the rest
  // fits into the buffer.
  int32_t copies = group.copies;
#pragma unroll 1
  while (kHoldsHalf && copies * group.stride > room) {
    const int32_t kept = (copies + 1) / 2;
    const int32_t moved = (copies - kept) * group.stride;
    store(kept * group.stride, moved);
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t index = group.thread * kVector + v;
      if (group.exists && index < moved) {
        AccumulatorOf part;
        buffer.Load(base + index, &part);
        Join(needed, part, &accumulators[v]);
      }
    }
    __syncthreads();
    copies = kept;
  }

  // The rest is joined in the buffer: at each level a thread joins a few copies, and as many
  // threads as possible take part.
  store(0, copies * group.stride);
#pragma unroll 1
  while (copies > kCopiesOfLevel && group.threads > group.stride) {
    const int32_t most = (copies + kCopiesOfLevel - 1) / kCopiesOfLevel;
    const int32_t kept = min(most, group.threads / group.stride);
    if (kept == 1) break;
    const int32_t end = base + copies * group.stride;
#pragma unroll 1
    for (int32_t i = group.thread; group.exists && i < kept * group.stride; i += group.threads) {
      AccumulatorOf joined = buffer.Joined(base + i, end, kept * group.stride);
      buffer.Store(base + i, &joined);
    }
    __syncthreads();
    copies = kept;
  }
#pragma unroll 1
  for (int32_t i = group.thread; group.exists && i < group.stride; i += group.threads) {
    use(i, buffer.Joined(base + i, base + copies * group.stride, group.stride));
  }
  __syncthreads();
}

// The number that the thread `distance` further in the warp has.
template <typename Number>
__device__ __forceinline__ Number FromThread(Number number, int32_t distance) {
  return __shfl_down_sync(0xffffffff, number, distance);
}

// Joins the accumulators of all threads of a group, which are copies of one channel, and calls
// use(accumulator) in the group's first thread. `bytes` is shared memory for an accumulator of each
// thread. It is used only where a group reaches into another warp; `are_in_warps` says that none
// does.
template <typename Sums, typename AccumulatorOf, typename Use>
__device__ __forceinline__ void JoinChannel(const Sums& needed, const JoinGroup& group,
                                            bool are_in_warps, void* bytes,
                                            AccumulatorOf* accumulator, const Use& use) {
  const auto tid = static_cast<int32_t>(threadIdx.x);
  const int32_t place = tid % kWarpThreads;  // in the warp
  // Threads of the group from this one on in the warp.
  const int32_t rest = min(kWarpThreads - place, group.threads - group.thread);
  const int32_t widest = min(group.threads, kWarpThreads);
#pragma unroll 1
  for (int32_t distance = 1; distance < widest; distance *= 2) {
    AccumulatorOf part = *accumulator;
    ForEachNumber(
        needed,
        [distance](bool is_needed, auto* number) {
          if (is_needed) *number = FromThread(*number, distance);
        },
        &part);
    if (distance < rest) Join(needed, part, accumulator);
  }
  if (are_in_warps) {
    if (group.exists && group.thread == 0) use(*accumulator);
    return;
  }
  const JoinBuffer<AccumulatorOf, Sums> buffer(needed, bytes);
  __syncthreads();  // the buffer's previous contents have been read
  if (group.exists && place == 0) buffer.Store(tid, accumulator);
  __syncthreads();
  if (group.exists && group.thread == 0) {
#pragma unroll 1
    for (int32_t slot = (tid / kWarpThreads + 1) * kWarpThreads; slot < tid + group.threads;
         slot += kWarpThreads) {
      AccumulatorOf part;
      buffer.Load(slot, &part);
      Join(needed, part, accumulator);
    }
    use(*accumulator);
  }
  __syncthreads();
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_JOIN_CUH_
