// The rows of a thread that a mask keeps, where a row is one step.
#ifndef STATPOOL_CUDA_FORWARD_MASKED_ROWS_CUH_
#define STATPOOL_CUDA_FORWARD_MASKED_ROWS_CUH_

#include <cstdint>

#include "cc/core/accumulators.h"

namespace statpool {
namespace cuda {

// Bytes of the mask are loaded kAtOnce at a time, ahead of the rows that they keep: so a thread
// waits for them once, not before each row.
class MaskedRows {
 public:
  // Of rows first, first + stride and so on below `end`.
  __device__ __forceinline__ MaskedRows(const bool* mask, int32_t first, int32_t stride,
                                        int32_t end)
      : mask_(mask), stride_(stride), end_(end), first_(first) {}

  // Makes the next `count` rows known, or as many as there are, or fewer where hardly any is kept.
  // Returns whether there is one.
  __device__ __forceinline__ bool Find(int32_t count) {
    Drop(kept_ == 0 ? known_ : __ffsll(static_cast<long long>(kept_)) - 1);
#pragma unroll 1
    while (__popcll(kept_) < count && known_ <= kAtOnce && first_ + known_ * stride_ < end_) {
      kept_ |= static_cast<uint64_t>(LoadBytes(first_ + known_ * stride_)) << known_;
      known_ += kAtOnce;
      if (kept_ == 0) Drop(known_);
    }
    return kept_ != 0;
  }

  // Whether a known row is left, which is *row then, and is taken.
  __device__ __forceinline__ bool Take(int32_t* row) {
    if (kept_ == 0) return false;
    *row = first_ + (__ffsll(static_cast<long long>(kept_)) - 1) * stride_;
    kept_ &= kept_ - 1;
    return true;
  }

 private:
  static constexpr int kAtOnce = 32;

  __device__ __forceinline__ uint32_t LoadBytes(int32_t row) const {
    uint32_t kept = 0;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i, row += stride_) {
      if (row < end_ && core::Keeps(mask_, row)) kept |= 1u << i;
    }
    return kept;
  }

  // Forgets so many rows.
  __device__ __forceinline__ void Drop(int32_t rows) {
    first_ += rows * stride_;
    kept_ = rows < 64 ? kept_ >> rows : 0;
    known_ -= rows;
  }

  const bool* const mask_;
  const int32_t stride_;
  const int32_t end_;
  int32_t first_;      // what bit 0 of kept_ stands for
  int32_t known_ = 0;  // rows from there on whose bytes were loaded
  uint64_t kept_ = 0;
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_MASKED_ROWS_CUH_
