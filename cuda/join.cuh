// Joins the lanes that the threads of a group hold of the same channels, through shared memory and
// in a fixed order.
#ifndef STATPOOL_CUDA_JOIN_CUH_
#define STATPOOL_CUDA_JOIN_CUH_

#include <cstdint>

#include "cuda/lane.cuh"

namespace statpool {
namespace cuda {

// Room for half of the lanes of a block, field by field.
template <typename LaneOf, typename Needs, int kThreads, int kVector>
struct JoinBuffer {
  static constexpr int kPitch = kThreads / 2;
  static constexpr int kSlots = kPitch * kVector;
  static_assert(VisitedBytes<LaneOf, Needs>() == kLaneBytes<LaneOf, Needs>,
                "there is room for each field, and for no other");

  alignas(16) char bytes[kLaneBytes<LaneOf, Needs> * kSlots];

  // Calls move(&field, its place) for every field of a lane that is needed.
  template <typename Move>
  __device__ __forceinline__ void Visit(const Needs& needs, int slot, LaneOf* lane,
                                        const Move& move) {
    char* row = bytes;
    const auto visit = [&](auto* field) {
      move(field, reinterpret_cast<decltype(field)>(row) + slot);
      row += kSlots * sizeof *field;
    };
    ForEachField(needs, visit, lane);
  }
};

// Lane v of thread t of a group is number t * kVector + v, and `stride` numbers on lies the next
// lane of its channel, of which there are `copies`. Afterwards the first `stride` lanes hold what
// all copies hold together. Every thread of the block must call it; those whose group is none, or
// which have no lanes, pass is_active = false.
template <int kThreads, int kVector, typename Needs, typename LaneOf>
__device__ __forceinline__ void JoinCopies(const Needs& needs, int32_t group, int32_t group_threads,
                                           int32_t thread, bool is_active, int32_t copies,
                                           int32_t stride,
                                           JoinBuffer<LaneOf, Needs, kThreads, kVector>* buffer,
                                           LaneOf (&lanes)[kVector]) {
  // Neighbours keep lane v side by side: no bank conflicts.
  const auto slot_of = [&](int32_t number) {
    return number % kVector * buffer->kPitch + group * (group_threads / 2) + number / kVector;
  };
  while (copies > 1) {
    const int32_t kept = (copies + 1) / 2;
    const int32_t first_moved = kept * stride;
    const int32_t moved = (copies - kept) * stride;
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t number = thread * kVector + v - first_moved;
      if (is_active && number >= 0 && number < moved) {
        buffer->Visit(needs, slot_of(number), &lanes[v],
                      [](auto* field, auto* place) { *place = *field; });
      }
    }
    __syncthreads();
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const int32_t number = thread * kVector + v;
      if (is_active && number < moved) {
        LaneOf part;
        buffer->Visit(needs, slot_of(number), &part,
                      [](auto* field, auto* place) { *field = *place; });
        JoinLane(needs, part, &lanes[v]);
      }
    }
    __syncthreads();
    copies = kept;
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_JOIN_CUH_
