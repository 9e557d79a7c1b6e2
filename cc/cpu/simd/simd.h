// Vectors of N lanes, by the compiler's vector extension. A translation unit has one instruction
// set: whatever its flags allow.
//
// Code that depends on the instruction set is in a namespace STATPOOL_ISA, so that profilers and
// debuggers show the set by name, and in an unnamed namespace inside it, so that the linker never
// takes one set's copy of a function for another's. *Narrow* is float and *wide* is double.
#ifndef STATPOOL_CPU_SIMD_SIMD_H_
#define STATPOOL_CPU_SIMD_SIMD_H_

#if !defined(STATPOOL_ISA)
#error "STATPOOL_ISA must name the instruction set, see cmake/StatpoolInstructionSets.cmake"
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cc/core/host_device.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

template <typename E, int N>
struct VecOf {
  typedef E type __attribute__((vector_size(sizeof(E) * N)));
};
template <typename E, int N>
using Vec = typename VecOf<E, N>::type;

#if defined(STATPOOL_VECTOR_BYTES)
constexpr int kVectorBytes =
    STATPOOL_VECTOR_BYTES;  // the compiler splits what registers can't hold
#elif defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// Lanes of a full vector of type E.
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

// To double and back, lane by lane. Whole registers are converted by intrinsics, because GCC 12
// takes __builtin_convertvector between these types through the stack.
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

// A vector of float or double, converted to the other type if need be.
template <typename To, typename E, int N = sizeof(To) / sizeof(To{}[0])>
STATPOOL_INLINE To ToVector(const E& value) {
  if constexpr (std::is_same_v<To, E>) {
    return value;
  } else if constexpr (std::is_same_v<To, Vec<double, N>>) {
    return Widen<N>(value);
  } else {
    return Narrow<float, N>(value);
  }
}

// a > b ? a : b, which is what the x86 instruction does, also with NaN and signed zeros.
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

// Correctly rounded, as IEEE requires.
template <int N>
STATPOOL_INLINE Vec<double, N> SquareRoot(const Vec<double, N>& value) {
#if defined(__AVX512F__)
  if constexpr (N == 8) return (Vec<double, N>)_mm512_sqrt_pd((__m512d)value);
#endif
#if defined(__AVX__)
  if constexpr (N == 4) return (Vec<double, N>)_mm256_sqrt_pd((__m256d)value);
#endif
#if defined(__x86_64__)
  if constexpr (N == 2) return (Vec<double, N>)_mm_sqrt_pd((__m128d)value);
#endif
  Vec<double, N> root;
  for (int i = 0; i < N; ++i) root[i] = std::sqrt(value[i]);
  return root;
}

// Calls body(std::integral_constant<int, 0>) ... body(std::integral_constant<int, kCount - 1>).
template <int kCount, typename Body, int kIndex = 0>
STATPOOL_INLINE void ForParts(const Body& body) {
  if constexpr (kIndex < kCount) {
    body(std::integral_constant<int, kIndex>());
    ForParts<kCount, Body, kIndex + 1>(body);
  }
}

// How many of N lanes a register of doubles holds.
template <int N>
constexpr int kDoubleLanes = std::min(N, kLanes<double>);

// Calls body(part, at) for the parts of lanes [i, i + N) that WidenPart takes; `at` is the first
// lane.
template <int N, typename Body>
STATPOOL_INLINE void ForDoubleParts(int64_t i, const Body& body) {
  ForParts<N / kDoubleLanes<N>>([&](auto part) STATPOOL_ALWAYS_INLINE {
    body(part, i + decltype(part)::value * kDoubleLanes<N>);
  });
}

// N floats or doubles, part(std::integral_constant<int, 0>()) the first of them in double, as
// WidenPart takes them, and so on.
template <typename Compute, int N, typename Part>
STATPOOL_INLINE Vec<Compute, N> NarrowParts(const Part& part) {
  constexpr int P = kDoubleLanes<N>;
  const Vec<Compute, P> low = Narrow<Compute, P>(part(std::integral_constant<int, 0>()));
  if constexpr (N == P) {
    return low;
  } else {
    static_assert(N == 2 * P, "a register of floats has the room of two of doubles");
    const Vec<Compute, P> high = Narrow<Compute, P>(part(std::integral_constant<int, 1>()));
#if defined(__AVX512F__)
    if constexpr (N == 16) {
      const __m512d halves = _mm512_castpd256_pd512((__m256d)low);
      return (Vec<Compute, N>)_mm512_insertf64x4(halves, (__m256d)high, 1);
    }
#endif
#if defined(__AVX__)
    if constexpr (N == 8) return (Vec<Compute, N>)_mm256_set_m128((__m128)high, (__m128)low);
#endif
    Vec<Compute, N> both;
    std::memcpy(&both, &low, sizeof low);
    std::memcpy(reinterpret_cast<char*>(&both) + sizeof low, &high, sizeof high);
    return both;
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
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_SIMD_H_
