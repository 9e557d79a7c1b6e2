// Joins the accumulators that the threads of a group hold of the same channels, in a fixed order,
// and hands what comes out to them channel by channel, through shared memory.
#ifndef STATPOOL_CUDA_JOIN_CUH_
#define STATPOOL_CUDA_JOIN_CUH_

#include <cstdint>

#include "cuda/accumulator.cuh"
#include "cuda/shared_columns.cuh"

namespace statpool {
namespace cuda {

// Room for the accumulators of a block; for half of them where static shared memory couldn't hold
// all, or a multiprocessor those of its blocks: vectors of eight, and statistics that are known
// only at run time.
template <typename AccumulatorOf, typename Sums, int kThreads, int kVector>
struct JoinBuffer {
  static constexpr int64_t kBytes = kAccumulatorBytes<AccumulatorOf, Sums>;
  static constexpr bool kHoldsHalf = kVector == 8 || kThreads * kVector * kBytes > 44 << 10;
  static constexpr int kSlots = kThreads * kVector / (kHoldsHalf ? 2 : 1);
  static_assert(VisitedBytes<AccumulatorOf, Sums>() == kBytes,
                "there is room for each number, and for no other");

  SharedColumns<kSlots, kBytes> columns;

  __device__ __forceinline__ void Store(const Sums& needed, int slot, AccumulatorOf* accumulator) {
    ForEachNumber(needed, columns.Writer(slot), accumulator);
  }

  __device__ __forceinline__ void Load(const Sums& needed, int slot, AccumulatorOf* accumulator) {
    ForEachNumber(needed, columns.Reader(slot), accumulator);
  }
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
// there are, with what all copies hold together. Every thread of the block must call it.
template <int kThreads, int kVector, typename Sums, typename AccumulatorOf, typename Use>
__device__ __forceinline__ void JoinCopies(
    const Sums& needed, const JoinGroup& group,
    JoinBuffer<AccumulatorOf, Sums, kThreads, kVector>* buffer,
    AccumulatorOf (&accumulators)[kVector], const Use& use) {
  constexpr bool kHoldsHalf = JoinBuffer<AccumulatorOf, Sums, kThreads, kVector>::kHoldsHalf;
  const int32_t room = group.threads * kVector / (kHoldsHalf ? 2 : 1);
  const int32_t base = group.number * room;
  // Stores those of the accumulators with indices in [first, first + count).
  const auto store = [&](int32_t first, int32_t count) {
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t index = group.thread * kVector + v - first;
      if (group.exists && index >= 0 && index < count) {
        buffer->Store(needed, base + index, &accumulators[v]);
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
        buffer->Load(needed, base + index, &part);
        Join(needed, part, &accumulators[v]);
      }
    }
    __syncthreads();
    copies = kept;
  }

  // The rest there, an accumulator a thread.
  store(0, copies * group.stride);
#pragma unroll 1
  while (copies > 1) {
    const int32_t kept = (copies + 1) / 2;
    const int32_t moved = (copies - kept) * group.stride;
#pragma unroll 1
    for (int32_t i = group.thread; group.exists && i < moved; i += group.threads) {
      AccumulatorOf joined, part;
      buffer->Load(needed, base + i, &joined);
      buffer->Load(needed, base + i + kept * group.stride, &part);
      Join(needed, part, &joined);
      buffer->Store(needed, base + i, &joined);
    }
    __syncthreads();
    copies = kept;
  }
#pragma unroll 1
  for (int32_t i = group.thread; group.exists && i < group.stride; i += group.threads) {
    AccumulatorOf joined;
    buffer->Load(needed, base + i, &joined);
    use(i, joined);
  }
  __syncthreads();
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_JOIN_CUH_
