// Numbers of columns in shared memory, each kind in a row of its own.
#ifndef STATPOOL_CUDA_SHARED_COLUMNS_CUH_
#define STATPOOL_CUDA_SHARED_COLUMNS_CUH_

#include <cstdint>

namespace statpool {
namespace cuda {

// Room for kBytes of each of kSlots columns. A gap after every 128 bytes of a row: neither threads
// with a column each nor those with a vector of them meet in a bank.
template <int kSlots, int64_t kBytes>
class SharedColumns {
 public:
  // Calls move(&number, its place in column `slot`) for one number after the other, of any types.
  // Whoever reads them visits the same types. What isn't needed has a place all the same: then all
  // places are known to the compiler.
  template <typename Move>
  struct Visitor {
    char* row;
    int slot;
    Move move;

    template <typename Number>
    __device__ __forceinline__ void operator()(bool is_needed, Number* number) {
      constexpr int kNumbers = kLine / sizeof(Number);
      static_assert(kSlots % kNumbers == 0, "rows are whole lines");
      if (is_needed) move(number, reinterpret_cast<Number*>(row) + slot + slot / kNumbers);
      row += (kSlots + kSlots / kNumbers) * sizeof(Number);
    }
  };

  __device__ __forceinline__ auto Writer(int slot) {
    return Visit(slot, [](auto* number, auto* place) { *place = *number; });
  }

  __device__ __forceinline__ auto Reader(int slot) {
    return Visit(slot, [](auto* number, auto* place) { *number = *place; });
  }

 private:
  static constexpr int kLine = 128;

  template <typename Move>
  __device__ __forceinline__ Visitor<Move> Visit(int slot, const Move& move) {
    return {bytes_, slot, move};
  }

  // A gap is as wide as a number, at most 8 bytes.
  alignas(16) char bytes_[kBytes * kSlots + kBytes * kSlots / kLine * 8];
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_SHARED_COLUMNS_CUH_
