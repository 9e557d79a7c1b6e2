// Conversions between the four storage types and vectors of their compute type.
#ifndef STATPOOL_CPU_SIMD_STORAGE_H_
#define STATPOOL_CPU_SIMD_STORAGE_H_

#include "cc/core/float16.h"
#include "cc/cpu/simd/lane_tests.h"
#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// 16 bits to 32, by intrinsics for the same reason as Widen.
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

// The low halves of 32-bit lanes of less than 2^16, by intrinsics for the same reason as Widen.
template <int N>
STATPOOL_INLINE Vec<uint16_t, N> LowHalves(const Vec<uint32_t, N>& bits) {
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

// Rounds to bfloat16, in the upper half of each lane. The lower half is unspecified.
template <int N>
STATPOOL_INLINE Vec<uint32_t, N> RoundToUpperHalf(const Vec<float, N>& value, bool has_nan) {
  const auto bits = BitCast<Vec<uint32_t, N>>(value);
  const auto rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  if (!has_nan) return rounded;
  return (value != value) ? bits | 0x400000u : rounded;
}

// Rounds a compute vector to N stored values.
template <typename T, int N>
STATPOOL_INLINE auto Round(const Vec<core::ComputeType<T>, N>& value) {
  if constexpr (std::is_same_v<T, core::BFloat16>) {
    return LowHalves<N>(RoundToUpperHalf<N>(value, /*has_nan=*/true) >> 16);
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

// Values in two vectors, one of the even and one of the odd elements. bfloat16 needs no shuffles
// for that: an instruction per vector to load, and one for both to store. Bytes are little-endian,
// as on x86 and on Arm under Linux.
template <typename T>
constexpr bool kCanDeinterleave = std::is_same_v<T, core::BFloat16>;

template <int N>
struct Deinterleaved {
  Vec<float, N> even;
  Vec<float, N> odd;
};

template <int N>
STATPOOL_INLINE Deinterleaved<N> LoadDeinterleaved(const core::BFloat16* from) {
  const auto bits = LoadRaw<Vec<uint32_t, N>>(from);
  return {BitCast<Vec<float, N>>(bits << 16), BitCast<Vec<float, N>>(bits & 0xffff0000u)};
}

template <int N>
STATPOOL_INLINE Vec<uint32_t, N> RoundDeinterleaved(const Deinterleaved<N>& value) {
  const auto round = [&](bool has_nan) STATPOOL_ALWAYS_INLINE {
    return RoundToUpperHalf<N>(value.even, has_nan) >> 16 |
           (RoundToUpperHalf<N>(value.odd, has_nan) & 0xffff0000u);
  };
  // Infinities of both signs look like NaN here, which costs time but changes nothing.
  const bool may_have_nan = AnyNan<N>(value.even + value.odd);
  return __builtin_expect(may_have_nan, 0) ? round(true) : round(false);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_STORAGE_H_
