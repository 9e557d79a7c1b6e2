// From one type to another, and between the formats of floats and double.
#include <algorithm>
#include <cfenv>
#include <cmath>

#include "arithmetic.h"

namespace ptxsim {
namespace {

constexpr float kMinNormalF32 = 1.17549435e-38f;
constexpr double kMinNormalF16 = 6.103515625e-05;

double UnpackSmall(uint32_t bits, int mantissa_bits, int exponent_bits) {
  int bias = (1 << (exponent_bits - 1)) - 1;
  int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  double mantissa = bits & ((1 << mantissa_bits) - 1);
  double value;
  if (exponent == (1 << exponent_bits) - 1) {
    value = mantissa ? NAN : INFINITY;
  } else if (!exponent) {
    value = ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    value = ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  }
  return (bits >> (mantissa_bits + exponent_bits)) & 1 ? -value : value;
}

uint32_t PackSmall(double value, int mantissa_bits, int exponent_bits) {
  int bias = (1 << (exponent_bits - 1)) - 1;
  int max_exponent = (1 << exponent_bits) - 1;
  uint32_t sign = std::signbit(value) ? 1u << (mantissa_bits + exponent_bits) : 0;
  uint32_t infinity = static_cast<uint32_t>(max_exponent) << mantissa_bits;
  if (std::isnan(value)) return (1u << (mantissa_bits + exponent_bits)) - 1;
  double magnitude = fabs(value);
  if (std::isinf(magnitude)) return sign | infinity;
  if (magnitude == 0) return sign;
  int exponent;
  frexp(magnitude, &exponent);
  exponent = std::max(exponent - 1, 1 - bias);
  double scaled = ldexp(magnitude, mantissa_bits - exponent);
  // nearbyint follows the rounding mode, so the sign has to be there while it rounds.
  uint64_t mantissa = static_cast<uint64_t>(sign ? -nearbyint(-scaled) : nearbyint(scaled));
  if (mantissa < (1ull << mantissa_bits))
    return sign | static_cast<uint32_t>(mantissa);  // subnormal
  if (mantissa >> (mantissa_bits + 1)) {
    mantissa >>= 1;
    ++exponent;
  }
  if (exponent + bias >= max_exponent) {
    int mode = fegetround();
    bool toward_zero = mode == FE_TOWARDZERO || mode == (sign ? FE_UPWARD : FE_DOWNWARD);
    return sign | (toward_zero ? infinity - 1 : infinity);
  }
  return sign | ((static_cast<uint32_t>(exponent + bias) << mantissa_bits) +
                 static_cast<uint32_t>(mantissa - (1ull << mantissa_bits)));
}

double RoundToInt(double x, int mode) {
  switch (mode) {
    case kToNearest:
      return nearbyint(x);
    case kToZero:
      return trunc(x);
    case kDown:
      return floor(x);
    default:
      return ceil(x);
  }
}

uint64_t FloatToInt(const Instruction& in, uint64_t value) {
  Type to = in.type, from = in.type2;
  double x = Unpack(value, from, in.ftz);
  if (std::isnan(x)) return 0;
  x = RoundToInt(x, in.round_int ? in.round_int : static_cast<int>(kToZero));
  int bits = 8 * SizeOf(to);
  if (IsSigned(to)) {
    double low = -ldexp(1, bits - 1), high = ldexp(1, bits - 1);
    if (x < low) return (1ull << (bits - 1)) & MaskOf(to);
    if (x >= high) return ((1ull << (bits - 1)) - 1) & MaskOf(to);
    return static_cast<uint64_t>(static_cast<int64_t>(x)) & MaskOf(to);
  }
  if (x <= 0) return 0;
  if (x >= ldexp(1, bits)) return MaskOf(to);
  return static_cast<uint64_t>(x);
}

uint64_t IntToFloat(const Instruction& in, uint64_t value) {
  Type to = in.type, from = in.type2;
  Rounding rounding(in.rounding);
  int64_t x = Extend(value & MaskOf(from), from);
  volatile int64_t source = x;
  if (to == kF32) {
    volatile float r = IsSigned(from) ? static_cast<float>(source)
                                      : static_cast<float>(static_cast<uint64_t>(source));
    return BitsOf(static_cast<float>(r));
  }
  volatile double r = IsSigned(from) ? static_cast<double>(source)
                                     : static_cast<double>(static_cast<uint64_t>(source));
  return to == kF64 ? BitsOf(static_cast<double>(r)) : Pack(r, to, false, in.sat);
}

uint64_t IntToInt(const Instruction& in, uint64_t value) {
  Type to = in.type, from = in.type2;
  int64_t x = Extend(value & MaskOf(from), from);
  if (in.sat) {
    int bits = 8 * SizeOf(to);
    Int128 y =
        IsSigned(from) ? static_cast<Int128>(x) : static_cast<Int128>(static_cast<uint64_t>(x));
    Int128 low = IsSigned(to) ? -(static_cast<Int128>(1) << (bits - 1)) : 0;
    Int128 high = (static_cast<Int128>(1) << (IsSigned(to) ? bits - 1 : bits)) - 1;
    return static_cast<uint64_t>(std::min(std::max(y, low), high));
  }
  uint64_t cut = static_cast<uint64_t>(x) & MaskOf(to);
  return IsSigned(to) ? static_cast<uint64_t>(Extend(cut, to)) : cut;
}

}  // namespace

double Unpack(uint64_t bits, Type type, bool ftz) {
  switch (type) {
    case kF32:
    case kTf32: {
      float f = FloatOf(bits);
      return ftz && fabsf(f) < kMinNormalF32 ? copysignf(0, f) : f;
    }
    case kF64:
      return DoubleOf(bits);
    case kF16:
    case kF16x2: {
      double d = UnpackSmall(bits & 0xffff, 10, 5);
      return ftz && fabs(d) < kMinNormalF16 ? copysign(0, d) : d;
    }
    default:
      return UnpackSmall(bits & 0xffff, 7, 8);  // bf16
  }
}

uint64_t Pack(double value, Type type, bool ftz, bool saturate) {
  if (saturate) value = std::isnan(value) || value < 0 ? 0 : value > 1 ? 1 : value + 0.0;
  switch (type) {
    case kF64:
      return BitsOf(value);
    case kF32:
    case kTf32: {
      volatile double x = value;
      float f = static_cast<float>(x);
      if (std::isnan(f)) return 0x7fffffff;
      if (ftz && fabsf(f) < kMinNormalF32) f = copysignf(0, f);
      uint32_t bits = BitsOf(f);
      return type == kTf32 ? (bits + 0x1000) & ~0x1fffu : bits;
    }
    case kF16:
    case kF16x2: {
      uint32_t bits = PackSmall(value, 10, 5);
      return ftz && !(bits & 0x7c00) ? bits & 0x8000 : bits;
    }
    default:
      return PackSmall(value, 7, 8);  // bf16
  }
}

uint64_t Convert(const Instruction& in, uint64_t value, uint64_t value2) {
  Type to = in.type, from = in.type2;
  if (to == kF16x2 || to == kBf16x2) {
    Rounding rounding(in.rounding);
    auto half = [&](uint64_t bits) {
      double x = Unpack(bits, from, in.ftz);
      if (in.relu && x < 0) x = 0;
      return Pack(x, to == kF16x2 ? kF16 : kBf16, false, in.sat);
    };
    return half(value) << 16 | half(value2);
  }
  if ((IsFloat(to) || to == kTf32) && IsFloat(from)) {
    double x = Unpack(value, from, in.ftz);
    if (in.round_int) x = copysign(RoundToInt(x, in.round_int), x);
    if (in.relu && x < 0) x = 0;
    Rounding rounding(in.rounding);
    return Pack(x, to, in.ftz, in.sat);
  }
  if (IsFloat(to)) return IntToFloat(in, value);
  if (IsFloat(from)) return FloatToInt(in, value);
  return IntToInt(in, value);
}

}  // namespace ptxsim
