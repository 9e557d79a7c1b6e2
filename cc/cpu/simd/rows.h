// Rows of x for the loops of the forward pass, which read some rows at a time, column by column.
// The hardware's prefetchers don't recognise that order, so rows prefetch by software what is read
// a while later. So does the gradient, which reads row after row.
#ifndef STATPOOL_CPU_SIMD_ROWS_H_
#define STATPOOL_CPU_SIMD_ROWS_H_

#include <algorithm>
#include <cstdint>

#include "cc/cpu/plan.h"
#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

constexpr int kChunkRows = 8;  // that are added at once

constexpr int64_t kCacheLine = 64;
// Far enough ahead for memory to answer, and little enough to stay in a second-level cache.
constexpr int64_t kAheadBytes = 32 << 10;

// Prefetches a line, which may be behind the end of x. It goes to the second-level cache: the first
// level allows few loads on their way, and needs its room for the rows that are read now.
STATPOOL_INLINE void PrefetchLine(uintptr_t address) {
  __builtin_prefetch(reinterpret_cast<const void*>(address), /*rw=*/0, /*locality=*/2);
}

// Whether a vector at [offset, offset + bytes) is the first in its line.
STATPOOL_INLINE bool IsFirstOfLine(int64_t offset, int64_t bytes) {
  return offset % kCacheLine < bytes;
}

// Prefetches what is read a while later, if memory is read in order.
STATPOOL_INLINE void PrefetchAhead(const void* from) {
  PrefetchLine(reinterpret_cast<uintptr_t>(from) + kAheadBytes);
}

// Rows that follow each other at one distance.
template <typename T>
class EvenRows {
 public:
  // `width` elements of each row are read. Rows in the caches need no prefetch.
  EvenRows(const T* first, int64_t stride, int64_t width, bool are_cached = false)
      : first_(first), stride_(stride) {
    if (are_cached) return;
    is_dense_ = width == stride;
    const int64_t row_bytes = std::max<int64_t>(width * sizeof(T), kCacheLine);
    const int64_t chunk_bytes = kChunkRows * row_bytes;
    const int64_t chunks = CeilDiv(kAheadBytes, chunk_bytes);
    ahead_ = is_dense_ ? kAheadBytes : chunks * kChunkRows * stride * sizeof(T);
  }

  STATPOOL_ALWAYS_INLINE const T* operator[](int64_t row) const { return first_ + row * stride_; }

  STATPOOL_ALWAYS_INLINE EvenRows operator+(int64_t rows) const {
    EvenRows later = *this;
    later.first_ += rows * stride_;
    return later;
  }

  // Prefetches as many bytes as elements [i, i + N) of the first kRows rows have. For dense rows
  // that is in the order of memory, which is the fastest.
  template <int N, int kRows>
  STATPOOL_ALWAYS_INLINE void Prefetch(int64_t i) const {
    if (ahead_ == 0) return;
    constexpr int64_t kBytes = N * sizeof(T);
    const int64_t offset = i * sizeof(T);
    const uintptr_t ahead = reinterpret_cast<uintptr_t>(first_) + ahead_;
    if (is_dense_) {
      if (!IsFirstOfLine(kRows * offset, kRows * kBytes)) return;
      for (int64_t k = 0; k < kRows * kBytes; k += kCacheLine) {
        PrefetchLine(ahead + kRows * offset + k);
      }
    } else if (IsFirstOfLine(offset, kBytes)) {
      for (int r = 0; r < kRows; ++r) PrefetchLine(ahead + offset + r * stride_ * sizeof(T));
    }
  }

 private:
  const T* first_;
  int64_t stride_;
  bool is_dense_ = false;
  int64_t ahead_ = 0;  // bytes; 0 for no prefetch
};

// Rows at arbitrary addresses.
template <typename T>
struct ListedRows {
  const T* const* rows;
  const T* const* end;
  int64_t ahead;  // rows of the list; 0 for no prefetch

  STATPOOL_ALWAYS_INLINE const T* operator[](int64_t row) const { return rows[row]; }

  STATPOOL_ALWAYS_INLINE ListedRows operator+(int64_t count) const {
    return {rows + count, end, ahead};
  }

  template <int N, int kRows>
  STATPOOL_ALWAYS_INLINE void Prefetch(int64_t i) const {
    if (ahead == 0 || end - rows < ahead + kRows) return;
    if (!IsFirstOfLine(i * sizeof(T), N * sizeof(T))) return;
    for (int r = 0; r < kRows; ++r) PrefetchLine(reinterpret_cast<uintptr_t>(rows[ahead + r] + i));
  }
};

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_ROWS_H_
