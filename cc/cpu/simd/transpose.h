// From channels_first to channels_last, a block at a time.
#ifndef STATPOOL_CPU_SIMD_TRANSPOSE_H_
#define STATPOOL_CPU_SIMD_TRANSPOSE_H_

#include "cc/cpu/plan.h"
#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

template <typename T>
using BitsOf = std::conditional_t<sizeof(T) == 2, uint16_t,
                                  std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;

// Elements of a piece of 16 bytes: the steps, and channels, of a block.
template <typename T>
constexpr int kPiece = 16 / sizeof(T);

// A vector of kCount pieces, `distance` elements apart.
template <int kCount, typename T>
STATPOOL_INLINE auto LoadPieces(const T* x, [[maybe_unused]] int64_t distance) {
  using V = Vec<BitsOf<T>, kCount * kPiece<T>>;
  if constexpr (kCount == 1) {
    return LoadRaw<V>(x);
  } else {
    static_assert(kCount == 2, "one piece or two");
#if defined(__AVX2__)
    const __m256i low = _mm256_castsi128_si256(LoadRaw<__m128i>(x));
    return (V)_mm256_inserti128_si256(low, LoadRaw<__m128i>(x + distance), 1);
#else
    V pieces;
    std::memcpy(&pieces, x, sizeof pieces / 2);
    std::memcpy(reinterpret_cast<char*>(&pieces) + sizeof pieces / 2, x + distance,
                sizeof pieces / 2);
    return pieces;
#endif
  }
}

// a[0] b[0] a[1] b[1] ..., from the low or the high half of each piece.
template <bool kHigh, typename V>
STATPOOL_INLINE V Interleave(const V& a, const V& b) {
  constexpr int kLaneBytes = sizeof(a[0]);
#if defined(__AVX2__)
  if constexpr (sizeof(V) == 32) {
    const auto x = (__m256i)a;
    const auto y = (__m256i)b;
    if constexpr (kLaneBytes == 2)
      return (V)(kHigh ? _mm256_unpackhi_epi16(x, y) : _mm256_unpacklo_epi16(x, y));
    if constexpr (kLaneBytes == 4)
      return (V)(kHigh ? _mm256_unpackhi_epi32(x, y) : _mm256_unpacklo_epi32(x, y));
    if constexpr (kLaneBytes == 8)
      return (V)(kHigh ? _mm256_unpackhi_epi64(x, y) : _mm256_unpacklo_epi64(x, y));
  }
#endif
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 16) {
    const auto x = (__m128i)a;
    const auto y = (__m128i)b;
    if constexpr (kLaneBytes == 2)
      return (V)(kHigh ? _mm_unpackhi_epi16(x, y) : _mm_unpacklo_epi16(x, y));
    if constexpr (kLaneBytes == 4)
      return (V)(kHigh ? _mm_unpackhi_epi32(x, y) : _mm_unpacklo_epi32(x, y));
    if constexpr (kLaneBytes == 8)
      return (V)(kHigh ? _mm_unpackhi_epi64(x, y) : _mm_unpacklo_epi64(x, y));
  }
#endif
  constexpr int kHalf = 8 / kLaneBytes;
  V result;
  for (int piece = 0; piece < static_cast<int>(sizeof(V)) / kLaneBytes; piece += 2 * kHalf) {
    for (int i = 0; i < kHalf; ++i) {
      result[piece + 2 * i] = a[piece + i + kHigh * kHalf];
      result[piece + 2 * i + 1] = b[piece + i + kHigh * kHalf];
    }
  }
  return result;
}

// kPiece<T> steps of kCount * kPiece<T> channels, `time` apart, become rows `stride` apart.
template <int kCount, typename T>
STATPOOL_INLINE void TransposeBlock(const T* x, int64_t time, int64_t stride, T* rows) {
  constexpr int N = kPiece<T>;
  using V = Vec<BitsOf<T>, kCount * N>;
  V v[N];
  for (int i = 0; i < N; ++i) v[i] = LoadPieces<kCount>(x + i * time, N * time);
  for (int round = 1; round < N; round *= 2) {
    V shuffled[N];
    for (int i = 0; i < N / 2; ++i) {
      shuffled[2 * i] = Interleave<false>(v[i], v[i + N / 2]);
      shuffled[2 * i + 1] = Interleave<true>(v[i], v[i + N / 2]);
    }
    // Neither a copy of the array nor a loop: GCC takes both through the stack, and the copy loads
    // longer vectors than were stored, which have to wait for the stores.
    ForParts<N>([&](auto i) __attribute__((always_inline)) { v[i] = shuffled[i]; });
  }
  ForParts<N>([&](auto i) __attribute__((always_inline)) { StoreRaw(v[i], rows + i * stride); });
}

// Elements from one row of that many channels to the next. Rows begin at whole vectors, so that no
// store of a vector crosses a cache line.
template <typename T>
constexpr int64_t RowStride(int64_t channels) {
  return RoundUp(channels, kVectorBytes / sizeof(T));
}

// Some steps of some channels, a row per step.
template <typename T>
struct TransposedRows {
  static constexpr int64_t kSteps = 64;
  static constexpr int64_t kMaxStride = RowStride<T>(kTransposedChannels);
  static_assert(kMaxStride >= kTransposedChannels && kMaxStride * sizeof(T) % kVectorBytes == 0,
                "the longest row, rounded up to whole vectors, has room for every channel");

  alignas(kMaxVectorBytes) T elements[kSteps * kMaxStride];
};

// Row r, element c = x[c * time + r] for r in [0, steps), c in [0, channels). Rows are `stride`
// apart.
template <typename T>
STATPOOL_INLINE void TransposeSteps(const T* x, int64_t time, int64_t steps, int64_t channels,
                                    int64_t stride, T* rows) {
  constexpr int N = kPiece<T>;
  constexpr int kMostPieces = kVectorBytes >= 32 ? 2 : 1;
  const int64_t block_steps = steps / N * N;
  const int64_t block_channels = channels / N * N;
  const auto transpose = [&](auto count, int64_t c) __attribute__((always_inline)) {
    for (int64_t r = 0; r < block_steps; r += N) {
      TransposeBlock<decltype(count)::value>(x + c * time + r, time, stride, rows + r * stride + c);
    }
  };
  int64_t c = 0;
  for (; c + kMostPieces * N <= channels; c += kMostPieces * N) {
    transpose(std::integral_constant<int, kMostPieces>(), c);
  }
  if (c < block_channels) transpose(std::integral_constant<int, 1>(), c);
  for (c = 0; c < channels; ++c) {
    const int64_t first = c < block_channels ? block_steps : 0;
    for (int64_t r = first; r < steps; ++r) rows[r * stride + c] = x[c * time + r];
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_TRANSPOSE_H_
