// From channels_first to channels_last, a block at a time.
#ifndef STATPOOL_CPU_TRANSPOSE_H_
#define STATPOOL_CPU_TRANSPOSE_H_

#include "cc/cpu/simd.h"

namespace statpool {
namespace cpu {
namespace {

// a[0] b[0] a[1] b[1] ..., from the low or the high half of two vectors of 16 bytes.
template <bool kHigh, typename V>
STATPOOL_INLINE V Interleave(const V& a, const V& b) {
  constexpr int kLaneBytes = sizeof(a[0]);
#if defined(__x86_64__)
  const auto x = (__m128i)a;
  const auto y = (__m128i)b;
  if constexpr (kLaneBytes == 2)
    return (V)(kHigh ? _mm_unpackhi_epi16(x, y) : _mm_unpacklo_epi16(x, y));
  if constexpr (kLaneBytes == 4)
    return (V)(kHigh ? _mm_unpackhi_epi32(x, y) : _mm_unpacklo_epi32(x, y));
  if constexpr (kLaneBytes == 8)
    return (V)(kHigh ? _mm_unpackhi_epi64(x, y) : _mm_unpacklo_epi64(x, y));
#endif
  constexpr int kHalf = 8 / kLaneBytes;
  V result;
  for (int i = 0; i < kHalf; ++i) {
    result[2 * i] = a[i + kHigh * kHalf];
    result[2 * i + 1] = b[i + kHigh * kHalf];
  }
  return result;
}

template <typename T>
using BitsOf = std::conditional_t<sizeof(T) == 2, uint16_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

// kSquare<T> steps of as many channels, `time` apart, become rows `width` apart.
template <typename T>
constexpr int kSquare = 16 / sizeof(T);

template <typename T>
STATPOOL_INLINE void TransposeSquare(const T* x, int64_t time, int64_t width, T* rows) {
  constexpr int N = kSquare<T>;
  using V = Vec<BitsOf<T>, N>;
  V v[N];
  for (int i = 0; i < N; ++i) v[i] = LoadRaw<V>(x + i * time);
  for (int round = 1; round < N; round *= 2) {
    V shuffled[N];
    for (int i = 0; i < N / 2; ++i) {
      shuffled[2 * i] = Interleave<false>(v[i], v[i + N / 2]);
      shuffled[2 * i + 1] = Interleave<true>(v[i], v[i + N / 2]);
    }
    std::copy_n(shuffled, N, v);
  }
  for (int i = 0; i < N; ++i) StoreRaw(v[i], rows + i * width);
}

// rows[r * width + c] = x[c * time + r] for r in [0, count), c in [0, width).
template <typename T>
void TransposeSteps(const T* x, int64_t time, int64_t count, int64_t width, T* rows) {
  constexpr int64_t N = kSquare<T>;
  const int64_t square_count = count / N * N;
  const int64_t square_width = width / N * N;
  for (int64_t c = 0; c < square_width; c += N) {
    for (int64_t r = 0; r < square_count; r += N) {
      TransposeSquare(x + c * time + r, time, width, rows + r * width + c);
    }
  }
  for (int64_t c = 0; c < width; ++c) {
    const int64_t first = c < square_width ? square_count : 0;
    for (int64_t r = first; r < count; ++r) rows[r * width + c] = x[c * time + r];
  }
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_TRANSPOSE_H_
