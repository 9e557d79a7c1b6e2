// Stores around the caches, for output that exceeds them.
#ifndef STATPOOL_CPU_SIMD_STREAMING_STORE_H_
#define STATPOOL_CPU_SIMD_STREAMING_STORE_H_

#include <array>

#include "cc/cpu/simd/simd.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

constexpr int kLeastStreamingBytes = 16;

// Stores a vector around the caches in pieces of kBytes, to which `to` must be aligned, or through
// the caches if kBytes is 0.
template <int kBytes, typename V, typename P>
STATPOOL_INLINE void StoreStreaming(const V& value, P* to) {
  if constexpr (kBytes == 0) return StoreRaw(value, to);
  if constexpr (0 < kBytes && kBytes < static_cast<int>(sizeof(V))) {
    using Half = Vec<uint64_t, sizeof(V) / 16>;
    auto halves = BitCast<std::array<Half, 2>>(value);
#if defined(__AVX512F__)
    if constexpr (sizeof(V) == 64) {  // by intrinsics: GCC 12 takes these through the stack
      halves[0] = (Half)_mm512_extracti64x4_epi64((__m512i)value, 0);
      halves[1] = (Half)_mm512_extracti64x4_epi64((__m512i)value, 1);
    }
#endif
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

// Orders streaming stores before any store that tells another thread that they are done.
STATPOOL_INLINE void StreamingFence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_STREAMING_STORE_H_
