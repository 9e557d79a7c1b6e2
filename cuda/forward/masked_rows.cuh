// The rows of a thread that a mask keeps, where a row is one step.
#ifndef STATPOOL_CUDA_FORWARD_MASKED_ROWS_CUH_
#define STATPOOL_CUDA_FORWARD_MASKED_ROWS_CUH_

#include <cstdint>

#include "cc/core/accumulators.h"

namespace statpool {
namespace cuda {

// Loads kAtOnce bytes of the mask together, before the rows that they keep, so that a thread waits
// for them once and not before each row.
class MaskedRows {
 public:
  // Looks at rows first, first + stride and so on, before `end`.
  __device__ __forceinline__ MaskedRows(const bool* mask, int32_t first, int32_t stride,
                                        int32_t end)
      : mask_(mask), stride_(stride), end_(end), first_(first) {}

  // Finds the next `count` rows that are kept: fewer at the end, or where few are kept. Returns
  // whether it has found one.
  __device__ __forceinline__ bool Find(int32_t count) {
    Drop(kept_ == 0 ? loaded_ : __ffsll(static_cast<long long>(kept_)) - 1);
#pragma unroll 1
    while (__popcll(kept_) < count && loaded_ <= kAtOnce && first_ + loaded_ * stride_ < end_) {
      kept_ |= static_cast<uint64_t>(LoadBytes(first_ + loaded_ * stride_)) << loaded_;
      loaded_ += kAtOnce;
      if (kept_ == 0) Drop(loaded_);
    }
    return kept_ != 0;
  }

  // Takes the next row that was found, *row. Returns false if none is left.
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

  // Drops the first rows that were looked at.
  __device__ __forceinline__ void Drop(int32_t rows) {
    first_ += rows * stride_;
    kept_ = rows < 64 ? kept_ >> rows : 0;
    loaded_ -= rows;
  }

  const bool* const mask_;
  const int32_t stride_;
  const int32_t end_;
  int32_t first_;       // the row of bit 0 of kept_
  int32_t loaded_ = 0;  // how many rows from there on have bits in kept_
  uint64_t kept_ = 0;
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_MASKED_ROWS_CUH_
