// Joins the accumulators that the threads of a group hold of the same channels, in a fixed order,
// and hands what comes out to them channel by channel.
#ifndef STATPOOL_CUDA_FORWARD_JOIN_CUH_
#define STATPOOL_CUDA_FORWARD_JOIN_CUH_

#include <cstdint>

#include "cuda/forward/accumulator.cuh"
#include "cuda/launch_plan.h"
#include "cuda/thread/shared_slots.cuh"

namespace statpool {
namespace cuda {

constexpr int32_t kCopiesOfLevel = 4;

// Accumulators in shared memory.
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

  // Joins slots first, first + step and so on below `end`; there is one.
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

// A group of threads. Accumulator v of its thread t has index t * kVector + v, and `stride` indices
// on lies the next one of its channel, of which there are `copies`.
struct JoinGroup {
  bool exists;  // else its threads only come along to the barriers
  int32_t number;
  int32_t threads;  // times kVector an even number
  int32_t thread;
  int32_t copies;  // two or more, if the accumulators are as many as the threads' items
  int32_t stride;
};

// Calls use(i, accumulator) for i in [0, stride), each by another thread of the group as far as
// there are, with what all copies hold together. Every thread of the block must call it. `bytes` is
// shared memory for as many accumulators as the plan says.
template <int kThreads, int kVector, typename Sums, typename AccumulatorOf, typename Use>
__device__ __forceinline__ void JoinCopies(const Sums& needed, const JoinGroup& group, void* bytes,
                                           AccumulatorOf (&accumulators)[kVector], const Use& use) {
  const JoinBuffer<AccumulatorOf, Sums> buffer(needed, bytes);
  constexpr bool kHoldsHalf = HoldsHalf(kThreads * kVector, kAccumulatorBytes<AccumulatorOf, Sums>);
  const int32_t room = group.threads * kVector / (kHoldsHalf ? 2 : 1);
  const int32_t base = group.number * room;
  // Stores those of the accumulators with indices in [first, first + count).
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

  // The upper half joins the lower one in registers, until the rest fits into the buffer.
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

  // The rest there, an accumulator a thread, as many copies at a time as leave no thread idle.
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

// The number that a lane so many on in the warp has.
template <typename Number>
__device__ __forceinline__ Number FromLane(Number number, int32_t lanes_on) {
  return __shfl_down_sync(0xffffffff, number, lanes_on);
}

// As above, of a channel that all threads of a group have one accumulator of: calls
// use(accumulator) in its first thread. `slots` are shared memory for an accumulator of each
// thread, taken only where a group reaches into another warp; `are_in_warps` says that none does.
template <typename Sums, typename AccumulatorOf, typename Use>
__device__ __forceinline__ void JoinLanes(const Sums& needed, const JoinGroup& group,
                                          bool are_in_warps, void* bytes,
                                          AccumulatorOf* accumulator, const Use& use) {
  const auto tid = static_cast<int32_t>(threadIdx.x);
  const int32_t lane = tid % kWarpThreads;
  const int32_t end =
      min(kWarpThreads - lane, group.threads - group.thread);  // of the group's lanes
  const int32_t widest = min(group.threads, kWarpThreads);
#pragma unroll 1
  for (int32_t lanes_on = 1; lanes_on < widest; lanes_on *= 2) {
    AccumulatorOf part = *accumulator;
    ForEachNumber(
        needed,
        [lanes_on](bool is_needed, auto* number) {
          if (is_needed) *number = FromLane(*number, lanes_on);
        },
        &part);
    if (lanes_on < end) Join(needed, part, accumulator);
  }
  if (are_in_warps) {
    if (group.exists && group.thread == 0) use(*accumulator);
    return;
  }
  const JoinBuffer<AccumulatorOf, Sums> buffer(needed, bytes);
  __syncthreads();  // what was there before has been read
  if (group.exists && lane == 0) buffer.Store(tid, accumulator);
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
