// Vectors of N lanes through the compiler's vector extension, and how the four storage types
// enter and leave them. One instruction set per translation unit: what the flags allow is used.
#ifndef STATPOOL_CPU_SIMD_H_
#define STATPOOL_CPU_SIMD_H_

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

// Rounds a compute vector to N stored values.
template <typename T, int N>
STATPOOL_INLINE auto Round(const Vec<core::ComputeType<T>, N>& value) {
  if constexpr (std::is_same_v<T, core::BFloat16>) {
    const auto bits = BitCast<Vec<uint32_t, N>>(value);
    const auto rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    const auto quiet = bits >> 16 | 0x40u;
    return Convert<uint16_t, N>((value != value) ? quiet : rounded);
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

// A store that bypasses the caches where the vector is a whole register and `to` is aligned.
template <typename V, typename P>
STATPOOL_INLINE void StoreStreaming(const V& value, P* to) {
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
