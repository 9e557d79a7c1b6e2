// Numbers of channels in shared memory: a slot for each channel, or for each copy of one.
#ifndef STATPOOL_CUDA_THREAD_SHARED_SLOTS_CUH_
#define STATPOOL_CUDA_THREAD_SHARED_SLOTS_CUH_

#include <cstdint>

#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// Slots of kBytes. 32 of them are a tile, in which each kind of number has a row of its own: so all
// places of a slot are known to the compiler but for the first one. Within a row numbers are
// exchanged by tile, so that neither threads with a slot each nor those with a vector of them meet
// in a bank.
template <int64_t kBytes>
class SharedSlots {
 public:
  explicit __device__ __forceinline__ SharedSlots(void* bytes)
      : bytes_(static_cast<char*>(bytes)) {}

  // Calls move(&number, its place in the slot) for one number after the other, of any types.
  // Whoever reads them visits the same types. What isn't needed has a place all the same.
  template <typename Move>
  struct Visitor {
    char* row;
    int32_t narrow;  // where numbers of 4 bytes are in a row
    int32_t wide;    // and of 8
    Move move;

    template <typename Number>
    __device__ __forceinline__ void operator()(bool is_needed, Number* number) {
      const int32_t at = sizeof(Number) == 8 ? wide : narrow;
      if (is_needed) move(number, reinterpret_cast<Number*>(row) + at);
      row += kWarpThreads * sizeof(Number);
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
    const int32_t tile = slot / kWarpThreads;
    const int32_t lane = slot % kWarpThreads;
    const int32_t narrow = lane ^ (tile % 8);
    const int32_t wide = lane ^ (lane / 16) ^ (tile % 8 * 2);
    return {bytes_ + tile * static_cast<int32_t>(PanelBytes(kBytes)), narrow, wide, move};
  }

  char* bytes_;
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_SHARED_SLOTS_CUH_
