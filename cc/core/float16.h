// Exact scalar conversions of the 16-bit formats, rounding to nearest even, NaN kept.
//
// The instruction-set files compile this header with flags of their own; everything in it has
// internal linkage, so that no AVX-512 copy of a function is picked by the linker for all.
#ifndef STATPOOL_CORE_FLOAT16_H_
#define STATPOOL_CORE_FLOAT16_H_

#include <cstdint>
#include <cstring>

#include "cc/core/problem.h"

namespace statpool {
namespace core {

static inline float BitsToFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t FloatToBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float ToCompute(float value) { return value; }
static inline double ToCompute(double value) { return value; }
static inline float ToCompute(BFloat16 value) {
  return BitsToFloat(static_cast<uint32_t>(value.bits) << 16);
}
static inline float ToCompute(Float16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t magnitude = value.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return BitsToFloat(sign | 0x7f800000u | magnitude << 13);
  // Read as a float, the shifted bits are 2^-112 times the value, subnormals included.
  return BitsToFloat(sign | FloatToBits(BitsToFloat(magnitude << 13) * 0x1p112f));
}

static inline void StoreRounded(double value, double* to) { *to = value; }
static inline void StoreRounded(double value, float* to) { *to = static_cast<float>(value); }
static inline void StoreRounded(double value, BFloat16* to) {
  const uint32_t bits = FloatToBits(static_cast<float>(value));
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  to->bits = static_cast<uint16_t>(is_nan ? bits >> 16 | 0x40u
                                          : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
static inline void StoreRounded(double value, Float16* to) {
  const uint32_t bits = FloatToBits(static_cast<float>(value));
  const uint32_t sign = bits >> 16 & 0x8000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {  // NaN
    magnitude = 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // 65520 and more round to infinity
    magnitude = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: the sum rounds at the last subnormal bit
    magnitude = FloatToBits(BitsToFloat(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    magnitude = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
  }
  to->bits = static_cast<uint16_t>(sign | magnitude);
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_FLOAT16_H_
