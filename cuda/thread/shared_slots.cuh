// Numbers of channels in shared memory: a slot for each channel, or for each copy of a channel.
#ifndef STATPOOL_CUDA_THREAD_SHARED_SLOTS_CUH_
#define STATPOOL_CUDA_THREAD_SHARED_SLOTS_CUH_

#include <cstdint>

#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// Slots of kBytes each. A panel holds 32 slots as an array [numbers, 32]: the compiler knows where
// the numbers of a slot are, relative to the first one. The order of the 32 depends on the panel,
// so that threads that access a slot each, or the slots of a vector each, don't meet in a bank.
template <int64_t kBytes>
class SharedSlots {
 public:
  explicit __device__ __forceinline__ SharedSlots(void* bytes)
      : bytes_(static_cast<char*>(bytes)) {}

  // Is called for one number of a slot after the other, and calls move(&number, its place). A
  // reader must visit the same types in the same order as the writer did; numbers that aren't
  // needed have a place too.
  template <typename Move>
  struct Visitor {
    char* array;     // of the 32 slots' next number
    int32_t narrow;  // the slot's index in arrays of 4-byte numbers
    int32_t wide;    // and in arrays of 8-byte numbers
    Move move;

    template <typename Number>
    __device__ __forceinline__ void operator()(bool is_needed, Number* number) {
      const int32_t at = sizeof(Number) == 8 ? wide : narrow;
      if (is_needed) move(number, reinterpret_cast<Number*>(array) + at);
      array += kWarpThreads * sizeof(Number);
    }
  };

  __device__ __forceinline__ auto Writer(int32_t slot) const {
    return Visit(slot, [](auto* number, auto* place) { *place = *number; });
  }

  __device__ __forceinline__ auto Reader(int32_t slot) const {
    return Visit(slot, [](auto* number, auto* place) { *number = *place; });
  }

 private:
  template <typename Move>
  __device__ __forceinline__ Visitor<Move> Visit(int32_t slot, const Move& move) const {
    const int32_t panel = slot / kWarpThreads;
    const int32_t index = slot % kWarpThreads;
    const int32_t narrow = index ^ (panel % 8);
    const int32_t wide = index ^ (index / 16) ^ (panel % 8 * 2);
    return {bytes_ + panel * static_cast<int32_t>(PanelBytes(kBytes)), narrow, wide, move};
  }

  char* bytes_;
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_SHARED_SLOTS_CUH_
