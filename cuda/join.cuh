// Joins the accumulators that the threads of a group hold of the same channels, through shared
// memory and in a fixed order.
#ifndef STATPOOL_CUDA_JOIN_CUH_
#define STATPOOL_CUDA_JOIN_CUH_

#include <cstdint>

#include "cuda/accumulator.cuh"

namespace statpool {
namespace cuda {

// Room for half of the accumulators of a block, number by number.
template <typename AccumulatorOf, typename Sums, int kThreads, int kVector>
struct JoinBuffer {
  static constexpr int kPitch = kThreads / 2;
  static constexpr int kSlots = kPitch * kVector;
  static_assert(VisitedBytes<AccumulatorOf, Sums>() == kAccumulatorBytes<AccumulatorOf, Sums>,
                "there is room for each number, and for no other");

  alignas(16) char bytes[kAccumulatorBytes<AccumulatorOf, Sums> * kSlots];

  // Calls move(&number, its place) for every number of an accumulator that is needed.
  template <typename Move>
  __device__ __forceinline__ void Visit(const Sums& needed, int slot, AccumulatorOf* accumulator,
                                        const Move& move) {
    char* row = bytes;
    const auto visit = [&](auto* number) {
      move(number, reinterpret_cast<decltype(number)>(row) + slot);
      row += kSlots * sizeof *number;
    };
    ForEachNumber(needed, visit, accumulator);
  }
};

// Accumulator v of thread t of a group has index t * kVector + v, and `stride` indices on lies the
// next one of its channel, of which there are `copies`. Afterwards the first `stride` of them hold
// what all copies hold together. Every thread of the block must call it; those whose group is none,
// or which have no accumulators, pass is_active = false.
template <int kThreads, int kVector, typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void JoinCopies(
    const Sums& needed, int32_t group, int32_t group_threads, int32_t thread, bool is_active,
    int32_t copies, int32_t stride, JoinBuffer<AccumulatorOf, Sums, kThreads, kVector>* buffer,
    AccumulatorOf (&accumulators)[kVector]) {
  // Neighbours keep accumulator v side by side: no bank conflicts.
  const auto slot_of = [&](int32_t index) {
    return index % kVector * buffer->kPitch + group * (group_threads / 2) + index / kVector;
  };
  while (copies > 1) {
    const int32_t kept = (copies + 1) / 2;
    const int32_t first_moved = kept * stride;
    const int32_t moved = (copies - kept) * stride;
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t index = thread * kVector + v - first_moved;
      if (is_active && index >= 0 && index < moved) {
        buffer->Visit(needed, slot_of(index), &accumulators[v],
                      [](auto* number, auto* place) { *place = *number; });
      }
    }
    __syncthreads();
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t index = thread * kVector + v;
      if (is_active && index < moved) {
        AccumulatorOf part;
        buffer->Visit(needed, slot_of(index), &part,
                      [](auto* number, auto* place) { *number = *place; });
        Join(needed, part, &accumulators[v]);
      }
    }
    __syncthreads();
    copies = kept;
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_JOIN_CUH_
