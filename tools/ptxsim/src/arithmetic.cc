// Floats are computed in double and rounded once more to their format, which is exact for + - * /
// and sqrt of formats up to f32; f32 fma uses fmaf. The .approx forms are computed precisely,
// but for the gross ones of f64.
#include "arithmetic.h"

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>

namespace ptxsim {
namespace {

// PTX min/max: NaN loses unless .NaN is given, and -0 is below +0.
double MinMax(double a, double b, bool is_max, bool nan_wins) {
  if (std::isnan(a) || std::isnan(b)) return nan_wins ? NAN : std::isnan(a) ? b : a;
  if (a == b) return std::signbit(a) == is_max ? b : a;
  return is_max == (a > b) ? a : b;
}

// What rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 see of a number, and give. Subnormals are 0.
double UpperHalf(double value) {
  if (fabs(value) < std::numeric_limits<double>::min()) return copysign(0, value);
  const uint64_t bits = BitsOf(value) >> 32 << 32;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint64_t ScalarFloatOp(const Instruction& in, Type type, uint64_t a, uint64_t b, uint64_t c) {
  Rounding rounding(in.rounding);
  const bool is_gross = type == kF64 && in.approx && in.ftz;  // of rcp and rsqrt
  // volatile: the compiler may not move the operation out of the rounding mode's scope
  volatile double x = Unpack(a, type, in.ftz), y = Unpack(b, type, in.ftz),
                  z = Unpack(c, type, in.ftz), r = 0;
  switch (in.op) {
    case Opcode::kAdd:
      r = x + y;
      break;
    case Opcode::kSub:
      r = x - y;
      break;
    case Opcode::kMul:
      r = x * y;
      break;
    case Opcode::kDiv:
      r = x / y;
      break;
    case Opcode::kMad:
    case Opcode::kFma:
      if (type == kF32) {
        volatile float fx = x, fy = y, fz = z;
        volatile float fr = fmaf(fx, fy, fz);
        r = fr;
      } else {
        r = fma(x, y, z);
      }
      break;
    case Opcode::kMin:
      r = MinMax(x, y, false, in.nan);
      if (in.xorsign) r = copysign(r, std::signbit(x) != std::signbit(y) ? -1. : 1.);
      break;
    case Opcode::kMax:
      r = MinMax(x, y, true, in.nan);
      if (in.xorsign) r = copysign(r, std::signbit(x) != std::signbit(y) ? -1. : 1.);
      break;
    case Opcode::kAbs:
      r = fabs(x);
      break;
    case Opcode::kNeg:
      r = -x;
      break;
    case Opcode::kSqrt:
      r = sqrt(x);
      break;
    case Opcode::kRsqrt:
      r = is_gross ? UpperHalf(1 / sqrt(UpperHalf(x))) : 1 / sqrt(x);
      break;
    case Opcode::kRcp:
      r = is_gross ? UpperHalf(1 / UpperHalf(x)) : 1 / x;
      break;
    case Opcode::kEx2:
      r = exp2(x);
      break;
    case Opcode::kLg2:
      r = log2(x);
      break;
    case Opcode::kSin:
      r = sin(x);
      break;
    case Opcode::kCos:
      r = cos(x);
      break;
    case Opcode::kTanh:
      r = tanh(x);
      break;
    default:
      break;
  }
  if (in.relu && !(r > 0)) r = std::isnan(r) ? r : 0.0;
  return Pack(r, type, in.ftz, in.sat);
}

}  // namespace

bool CompareInts(int compare, uint64_t a, uint64_t b, Type type) {
  int64_t x = Extend(a, type), y = Extend(b, type);
  bool less = IsSigned(type) ? x < y : static_cast<uint64_t>(x) < static_cast<uint64_t>(y);
  switch (compare) {
    case kEq:
      return x == y;
    case kNe:
      return x != y;
    case kLt:
    case kLo:
      return less;
    case kLe:
    case kLs:
      return less || x == y;
    case kGt:
    case kHi:
      return !less && x != y;
    default:
      return !less;
  }
}

bool CompareFloats(int compare, double a, double b) {
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (compare) {
    case kEq:
      return a == b;
    case kNe:
      return !unordered && a != b;
    case kLt:
      return a < b;
    case kLe:
      return a <= b;
    case kGt:
      return a > b;
    case kGe:
      return a >= b;
    case kEqu:
      return unordered || a == b;
    case kNeu:
      return unordered || a != b;
    case kLtu:
      return unordered || a < b;
    case kLeu:
      return unordered || a <= b;
    case kGtu:
      return unordered || a > b;
    case kGeu:
      return unordered || a >= b;
    case kNum:
      return !unordered;
    default:
      return unordered;
  }
}

uint64_t FloatOp(const Instruction& in, uint64_t a, uint64_t b, uint64_t c) {
  uint64_t low = ScalarFloatOp(in, in.type, a, b, c);
  if (in.type != kF16x2 && in.type != kBf16x2) return low;
  return low | ScalarFloatOp(in, in.type, a >> 16, b >> 16, c >> 16) << 16;
}

uint64_t ReduceOp(const Instruction& in, Type type, uint64_t old, uint64_t b, uint64_t c) {
  auto float_op = [&](Opcode op) {
    Instruction plain;
    plain.op = op;
    plain.type = type;
    return FloatOp(plain, old, b, 0);
  };
  uint32_t old32 = old, b32 = b;
  switch (in.reduce) {
    case kAnd:
      return old & b;
    case kOr:
      return old | b;
    case kXor:
      return old ^ b;
    case kCas:
      return (old & MaskOf(type)) == (b & MaskOf(type)) ? c : old;
    case kExch:
      return b;
    case kAdd:
      return IsFloat(type) ? float_op(Opcode::kAdd) : old + b;
    case kInc:
      return old32 >= b32 ? 0 : old + 1;
    case kDec:
      return old32 == 0 || old32 > b32 ? b : old - 1;
    case kMin:
    case kMax: {
      bool is_min = in.reduce == kMin;
      if (IsFloat(type)) return float_op(is_min ? Opcode::kMin : Opcode::kMax);
      int64_t x = Extend(old, type), y = Extend(b, type);
      bool less = IsSigned(type) ? x < y : static_cast<uint64_t>(x) < static_cast<uint64_t>(y);
      return less == is_min ? x : y;
    }
    default:
      return old;
  }
}

}  // namespace ptxsim
