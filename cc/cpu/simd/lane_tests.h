// Whether all or any lanes meet a condition, and how many. AVX-512 compares into masks, which GCC
// 12 turns into vectors and back unless intrinsics are used.
#ifndef STATPOOL_CPU_SIMD_LANE_TESTS_H_
#define STATPOOL_CPU_SIMD_LANE_TESTS_H_

#include <cstdint>
#include <type_traits>

#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Whether every lane of a mask is true.
template <int N, typename Mask>
STATPOOL_INLINE bool AllTrue(const Mask& mask) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Mask) == 64) return _mm512_movepi8_mask((__m512i)mask) == ~0ull;
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(Mask) == 32) return _mm256_movemask_epi8((__m256i)mask) == -1;
#endif
#if defined(__x86_64__)
  if constexpr (sizeof(Mask) == 16) return _mm_movemask_epi8((__m128i)mask) == 0xffff;
#endif
  bool all = true;
  for (int i = 0; i < N; ++i) all &= mask[i] != 0;
  return all;
}

// Whether low <= lane < high for every lane.
template <int N>
STATPOOL_INLINE bool AllWithin(const Vec<float, N>& value, float low, float high) {
#if defined(__AVX512F__)
  if constexpr (N == 16) {
    const __mmask16 from_low = _mm512_cmp_ps_mask((__m512)value, _mm512_set1_ps(low), _CMP_GE_OQ);
    return _mm512_mask_cmp_ps_mask(from_low, (__m512)value, _mm512_set1_ps(high), _CMP_LT_OQ) ==
           0xffff;
  }
#endif
  return AllTrue<N>((value >= low) & (value < high));
}

template <int N, typename V>
STATPOOL_INLINE bool AnyNan(const V& value) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<V, Vec<float, 16>>) {
    return _mm512_cmp_ps_mask((__m512)value, (__m512)value, _CMP_UNORD_Q) != 0;
  }
  if constexpr (std::is_same_v<V, Vec<double, 8>>) {
    return _mm512_cmp_pd_mask((__m512d)value, (__m512d)value, _CMP_UNORD_Q) != 0;
  }
#endif
  return !AllTrue<N>(value == value);
}

// `count` plus the number of vectors that equal `value`, lane by lane.
template <int N, typename Count, int kCount, typename V>
STATPOOL_INLINE Vec<Count, N> CountEqual(const V (&v)[kCount], const V& value,
                                         const Vec<Count, N>& count) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<V, Vec<float, 16>> && sizeof(Count) == 4) {
    __m512i counts[2] = {(__m512i)count, _mm512_setzero_si512()};
    for (int i = 0; i < kCount; ++i) {
      const __mmask16 equal = _mm512_cmp_ps_mask((__m512)v[i], (__m512)value, _CMP_EQ_OQ);
      counts[i % 2] =
          _mm512_mask_add_epi32(counts[i % 2], equal, counts[i % 2], _mm512_set1_epi32(1));
    }
    return (Vec<Count, N>)_mm512_add_epi32(counts[0], counts[1]);
  }
  if constexpr (std::is_same_v<V, Vec<double, 8>> && sizeof(Count) == 8) {
    __m512i counts[2] = {(__m512i)count, _mm512_setzero_si512()};
    for (int i = 0; i < kCount; ++i) {
      const __mmask8 equal = _mm512_cmp_pd_mask((__m512d)v[i], (__m512d)value, _CMP_EQ_OQ);
      counts[i % 2] =
          _mm512_mask_add_epi64(counts[i % 2], equal, counts[i % 2], _mm512_set1_epi64(1));
    }
    return (Vec<Count, N>)_mm512_add_epi64(counts[0], counts[1]);
  }
#endif
  Vec<Count, N> all = count;
  for (int i = 0; i < kCount; ++i) all -= (Vec<Count, N>)(v[i] == value);  // a true lane is -1
  return all;
}

// Whether every lane of every vector is 0 or -0.
template <int N, int kCount>
STATPOOL_INLINE bool AllZero(const Vec<float, N> (&v)[kCount]) {
  Vec<uint32_t, N> bits = {};
  for (int i = 0; i < kCount; ++i) bits |= BitCast<Vec<uint32_t, N>>(v[i]);
  return AllTrue<N>(bits << 1 == 0u);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_LANE_TESTS_H_
