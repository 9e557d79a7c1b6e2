// Vectors of N lanes through the compiler's vector extension, and how the four storage types
// enter and leave them. One instruction set per translation unit: what the flags allow is used.
#ifndef STATPOOL_CPU_SIMD_H_
#define STATPOOL_CPU_SIMD_H_

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cc/core/float16.h"

#define STATPOOL_INLINE static inline __attribute__((always_inline))

namespace statpool {
namespace cpu {
namespace {

template <typename E, int N>
struct VecOf {
  typedef E type __attribute__((vector_size(sizeof(E) * N)));
};
template <typename E, int N>
using Vec = typename VecOf<E, N>::type;

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// Lanes of the widest vector of type E.
template <typename E>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(E));

template <typename V, typename P>
STATPOOL_INLINE V LoadRaw(const P* from) {
  V value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename V, typename P>
STATPOOL_INLINE void StoreRaw(const V& value, P* to) {
  std::memcpy(to, &value, sizeof value);
}

template <typename To, typename From>
STATPOOL_INLINE To BitCast(const From& from) {
  static_assert(sizeof(To) == sizeof(From), "bit casts keep the size");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <typename E, int N, typename V>
STATPOOL_INLINE Vec<E, N> Convert(const V& value) {
  return __builtin_convertvector(value, Vec<E, N>);
}

// 16 bits to 32, by name for the same reason as Widen below.
template <int N>
STATPOOL_INLINE Vec<uint32_t, N> LoadBits(const uint16_t* from) {
#if defined(__AVX512F__)
  if constexpr (N == 16) return (Vec<uint32_t, N>)_mm512_cvtepu16_epi32(LoadRaw<__m256i>(from));
#endif
#if defined(__AVX2__)
  if constexpr (N == 8) return (Vec<uint32_t, N>)_mm256_cvtepu16_epi32(LoadRaw<__m128i>(from));
  if constexpr (N == 4) {
    return (Vec<uint32_t, N>)_mm_cvtepu16_epi32(_mm_cvtsi64_si128(LoadRaw<long long>(from)));
  }
#endif
  return Convert<uint32_t, N>(LoadRaw<Vec<uint16_t, N>>(from));
}

template <int N>
STATPOOL_INLINE Vec<float, N> Load(const float* from) {
  return LoadRaw<Vec<float, N>>(from);
}

template <int N>
STATPOOL_INLINE Vec<double, N> Load(const double* from) {
  return LoadRaw<Vec<double, N>>(from);
}

template <int N>
STATPOOL_INLINE Vec<float, N> Load(const core::BFloat16* from) {
  return BitCast<Vec<float, N>>(LoadBits<N>(&from->bits) << 16);
}

template <int N>
STATPOOL_INLINE Vec<float, N> Load(const core::Float16* from) {
#if defined(__AVX512F__)
  if constexpr (N == 16) {
    return (Vec<float, N>)_mm512_cvtph_ps(LoadRaw<__m256i>(from));
  }
#endif
#if defined(__F16C__)
  if constexpr (N == 8) return (Vec<float, N>)_mm256_cvtph_ps(LoadRaw<__m128i>(from));
  if constexpr (N == 4) {
    return (Vec<float, N>)_mm_cvtph_ps(_mm_cvtsi64_si128(LoadRaw<long long>(from)));
  }
#endif
  // As core::ToCompute(Float16), lane by lane.
  const auto bits = LoadBits<N>(&from->bits);
  const auto magnitude = (bits & 0x7fffu) << 13;
  const auto finite = BitCast<Vec<uint32_t, N>>(BitCast<Vec<float, N>>(magnitude) * 0x1p112f);
  const auto value = magnitude >= (0x7c00u << 13) ? magnitude | 0x7f800000u : finite;
  return BitCast<Vec<float, N>>(value | (bits & 0x8000u) << 16);
}

// To double and back, lane by lane. GCC 12 takes __builtin_convertvector between these types
// through the stack, so whole registers are converted by name.
template <int N>
STATPOOL_INLINE Vec<double, N> Widen(const Vec<float, N>& value) {
#if defined(__AVX512F__)
  if constexpr (N == 8) return (Vec<double, N>)_mm512_cvtps_pd((__m256)value);
#endif
#if defined(__AVX__)
  if constexpr (N == 4) return (Vec<double, N>)_mm256_cvtps_pd((__m128)value);
#endif
#if defined(__x86_64__)
  if constexpr (N == 2) {
    const __m128i both = _mm_cvtsi64_si128(BitCast<long long>(value));
    return (Vec<double, N>)_mm_cvtps_pd((__m128)both);
  }
#endif
  return Convert<double, N>(value);
}

template <int N>
STATPOOL_INLINE Vec<double, N> Widen(const Vec<double, N>& value) {
  return value;
}

// Lanes [kIndex * P, (kIndex + 1) * P) of a vector, in double. P is what a register of doubles
// holds, or N if that is less.
template <int N, int kIndex>
STATPOOL_INLINE auto WidenPart(const Vec<float, N>& value) {
  constexpr int P = std::min(N, kLanes<double>);
  if constexpr (N == P) {
    return Widen<P>(value);
  } else {
#if defined(__AVX512F__)
    if constexpr (N == 16) {
      const __m512d bits = (__m512d)value;
      return Widen<P>((Vec<float, P>)_mm512_extractf64x4_pd(bits, kIndex));
    }
#elif defined(__AVX__)
    if constexpr (N == 8) {
      return Widen<P>((Vec<float, P>)_mm256_extractf128_ps((__m256)value, kIndex));
    }
#endif
    Vec<float, P> part;
    std::memcpy(&part, reinterpret_cast<const char*>(&value) + kIndex * sizeof part, sizeof part);
    return Widen<P>(part);
  }
}

template <int N, int kIndex>
STATPOOL_INLINE Vec<double, N> WidenPart(const Vec<double, N>& value) {
  return value;
}

template <typename Compute, int N>
STATPOOL_INLINE Vec<Compute, N> Narrow(const Vec<double, N>& value) {
  if constexpr (std::is_same_v<Compute, double>) {
    return value;
  } else {
#if defined(__AVX512F__)
    if constexpr (N == 8) return (Vec<Compute, N>)_mm512_cvtpd_ps((__m512d)value);
#endif
#if defined(__AVX__)
    if constexpr (N == 4) return (Vec<Compute, N>)_mm256_cvtpd_ps((__m256d)value);
#endif
#if defined(__x86_64__)
    if constexpr (N == 2) {
      return BitCast<Vec<Compute, N>>(_mm_cvtsi128_si64((__m128i)_mm_cvtpd_ps((__m128d)value)));
    }
#endif
    return Convert<Compute, N>(value);
  }
}

// The low halves of 32-bit lanes of less than 2^16, by name for the same reason as Widen.
template <int N>
STATPOOL_INLINE Vec<uint16_t, N> NarrowBits(const Vec<uint32_t, N>& bits) {
#if defined(__AVX512F__)
  if constexpr (N == 16) return (Vec<uint16_t, N>)_mm512_cvtepi32_epi16((__m512i)bits);
#endif
#if defined(__AVX2__)
  if constexpr (N == 8) {
    return (Vec<uint16_t, N>)_mm_packus_epi32(_mm256_castsi256_si128((__m256i)bits),
                                              _mm256_extracti128_si256((__m256i)bits, 1));
  }
  if constexpr (N == 4) {
    const __m128i both = _mm_packus_epi32((__m128i)bits, (__m128i)bits);
    return BitCast<Vec<uint16_t, N>>(_mm_cvtsi128_si64(both));
  }
#endif
  return Convert<uint16_t, N>(bits);
}

// Rounds a compute vector to N stored values.
template <typename T, int N>
STATPOOL_INLINE auto Round(const Vec<core::ComputeType<T>, N>& value) {
  if constexpr (std::is_same_v<T, core::BFloat16>) {
    const auto bits = BitCast<Vec<uint32_t, N>>(value);
    const auto rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const auto quiet = bits >> 16 | 0x40u;
    return NarrowBits<N>((value != value) ? quiet : rounded);
  } else if constexpr (std::is_same_v<T, core::Float16>) {
#if defined(__AVX512F__)
    if constexpr (N == 16) {
      return (Vec<uint16_t, N>)_mm512_cvtps_ph((__m512)value, _MM_FROUND_TO_NEAREST_INT);
    }
#endif
#if defined(__F16C__)
    if constexpr (N == 8) {
      return (Vec<uint16_t, N>)_mm256_cvtps_ph((__m256)value, _MM_FROUND_TO_NEAREST_INT);
    }
    if constexpr (N == 4) {
      const __m128i both = _mm_cvtps_ph((__m128)value, _MM_FROUND_TO_NEAREST_INT);
      return BitCast<Vec<uint16_t, N>>(_mm_cvtsi128_si64(both));
    }
#endif
    Vec<uint16_t, N> bits = {};
    for (int i = 0; i < N; ++i) {
      core::Float16 one;
      core::StoreRounded(static_cast<double>(value[i]), &one);
      bits[i] = one.bits;
    }
    return bits;
  } else {
    return value;
  }
}

// a > b ? a : b: what the x86 instruction does with NaN and signed zeros too.
template <int N, typename V>
STATPOOL_INLINE V Larger(const V& a, const V& b) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<V, Vec<float, 16>>) return (V)_mm512_max_ps((__m512)a, (__m512)b);
  if constexpr (std::is_same_v<V, Vec<double, 8>>) return (V)_mm512_max_pd((__m512d)a, (__m512d)b);
#endif
#if defined(__AVX__)
  if constexpr (std::is_same_v<V, Vec<float, 8>>) return (V)_mm256_max_ps((__m256)a, (__m256)b);
  if constexpr (std::is_same_v<V, Vec<double, 4>>) return (V)_mm256_max_pd((__m256d)a, (__m256d)b);
#endif
#if defined(__x86_64__)
  if constexpr (std::is_same_v<V, Vec<float, 4>>) return (V)_mm_max_ps((__m128)a, (__m128)b);
  if constexpr (std::is_same_v<V, Vec<double, 2>>) return (V)_mm_max_pd((__m128d)a, (__m128d)b);
#endif
  return a > b ? a : b;
}

template <int N, typename V>
STATPOOL_INLINE V Smaller(const V& a, const V& b) {
  return -Larger<N>(V(-a), V(-b));
}

constexpr int kLeastStreamingBytes = 16;

// Stores a vector around the caches, in pieces of kBytes that `to` is aligned to.
template <int kBytes, typename V, typename P>
STATPOOL_INLINE void StoreStreaming(const V& value, P* to) {
  if constexpr (kBytes < static_cast<int>(sizeof(V))) {
    using Half = Vec<uint64_t, sizeof(V) / 16>;
    const auto halves = BitCast<std::array<Half, 2>>(value);
    StoreStreaming<kBytes>(halves[0], to);
    StoreStreaming<kBytes>(halves[1], reinterpret_cast<char*>(to) + sizeof(Half));
    return;
  }
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 8) {
    return _mm_stream_si64(reinterpret_cast<long long*>(to), BitCast<long long>(value));
  }
  if constexpr (sizeof(V) == 16) {
    return _mm_stream_si128(reinterpret_cast<__m128i*>(to), BitCast<__m128i>(value));
  }
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(V) == 32) {
    return _mm256_stream_si256(reinterpret_cast<__m256i*>(to), BitCast<__m256i>(value));
  }
#endif
#if defined(__AVX512F__)
  if constexpr (sizeof(V) == 64) {
    return _mm512_stream_si512(reinterpret_cast<__m512i*>(to), BitCast<__m512i>(value));
  }
#endif
  StoreRaw(value, to);
}

// Orders streaming stores before whatever tells another thread that they are done.
STATPOOL_INLINE void StreamingFence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

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

// Whether every lane of every vector is 0 or -0.
template <int N, int kCount>
STATPOOL_INLINE bool AllZero(const Vec<float, N> (&v)[kCount]) {
  Vec<uint32_t, N> bits = {};
  for (int i = 0; i < kCount; ++i) bits |= BitCast<Vec<uint32_t, N>>(v[i]);
  return AllTrue<N>(bits << 1 == 0u);
}

// Calls body(std::integral_constant<int, 0>) ... body(std::integral_constant<int, kCount - 1>).
template <int kCount, typename Body, int kIndex = 0>
STATPOOL_INLINE void ForParts(const Body& body) {
  if constexpr (kIndex < kCount) {
    body(std::integral_constant<int, kIndex>());
    ForParts<kCount, Body, kIndex + 1>(body);
  }
}

// Calls body(lanes, i) over [0, width): whole vectors first, then halves of halves.
template <int N, typename Body>
STATPOOL_INLINE void ForLanes(int64_t width, const Body& body, int64_t begin = 0) {
  int64_t i = begin;
  for (; i + N <= width; i += N) body(std::integral_constant<int, N>(), i);
  if constexpr (N > 1) ForLanes<N / 2>(width, body, i);
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_H_
