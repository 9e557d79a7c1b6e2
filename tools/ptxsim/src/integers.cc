// Integer arithmetic.
#include <algorithm>

#include "instructions.h"

namespace ptxsim {
namespace {

uint64_t Saturate32(int64_t value) {
  return std::max<int64_t>(INT32_MIN, std::min<int64_t>(INT32_MAX, value));
}

void ExecMultiply(const Context& c) {
  const Instruction& in = c.in;
  bool adds = in.op == Opcode::kMad || in.op == Opcode::kMadc || in.op == Opcode::kMad24;
  UInt128 product = static_cast<UInt128>(c.Wide(1)) * static_cast<UInt128>(c.Wide(2));
  if (in.wide) {
    uint64_t r = static_cast<uint64_t>(product);
    if (adds) r += c.Arg(3);
    c.SetRaw(SizeOf(c.type) == 2 ? r & 0xffffffff : r);
    return;
  }
  uint64_t r = in.hi ? static_cast<uint64_t>(product >> c.bits) : static_cast<uint64_t>(product);
  if (adds) {
    UInt128 sum = static_cast<UInt128>(r & MaskOf(c.type)) + c.Unsigned(3) +
                  (in.op == Opcode::kMadc ? c.t.carry : 0);
    if (in.carry) c.t.carry = static_cast<bool>(sum >> c.bits);
    r = static_cast<uint64_t>(sum);
  }
  c.Set(r);
}

void ExecIntegerMinMax(const Context& c) {
  const Instruction& in = c.in;
  bool is_min = in.op == Opcode::kMin;
  if (c.type == kU16x2 || c.type == kS16x2) {
    uint32_t x = c.Arg(1), y = c.Arg(2), r = 0;
    for (int shift = 0; shift < 32; shift += 16) {
      int64_t p = static_cast<uint16_t>(x >> shift), q = static_cast<uint16_t>(y >> shift);
      if (c.type == kS16x2) p = static_cast<int16_t>(p), q = static_cast<int16_t>(q);
      int64_t v = is_min == (p < q) ? p : q;
      if (in.relu && v < 0) v = 0;
      r |= static_cast<uint32_t>(v & 0xffff) << shift;
    }
    c.SetRaw(r);
    return;
  }
  bool less = c.Wide(1) < c.Wide(2);
  int64_t r = is_min == less ? c.Extended(1) : c.Extended(2);
  if (in.relu && r < 0) r = 0;
  c.Set(r);
}

}  // namespace

void ExecInteger(const Context& c) {
  const Instruction& in = c.in;
  bool& carry = c.t.carry;
  switch (in.op) {
    case Opcode::kAdd:
      if (c.type == kU16x2 || c.type == kS16x2) {
        uint32_t x = c.Arg(1), y = c.Arg(2);
        c.SetRaw(((x + y) & 0xffff) | (((x >> 16) + (y >> 16)) << 16));
      } else if (IsSigned(c.type) && in.sat) {
        c.Set(Saturate32(c.Extended(1) + c.Extended(2)));
      } else {
        uint64_t x = c.Arg(1), y = c.Arg(2);
        if (in.carry) {
          carry = (static_cast<UInt128>(x & MaskOf(c.type)) + (y & MaskOf(c.type))) >> c.bits;
        }
        c.Set(x + y);
      }
      break;
    case Opcode::kAddc: {
      UInt128 r = static_cast<UInt128>(c.Unsigned(1)) + c.Unsigned(2) + carry;
      if (in.carry) carry = static_cast<bool>(r >> c.bits);
      c.Set(static_cast<uint64_t>(r));
      break;
    }
    case Opcode::kSub:
      if (IsSigned(c.type) && in.sat) {
        c.Set(Saturate32(c.Extended(1) - c.Extended(2)));
      } else {
        if (in.carry) carry = c.Unsigned(1) < c.Unsigned(2);
        c.Set(c.Arg(1) - c.Arg(2));
      }
      break;
    case Opcode::kSubc: {
      UInt128 x = c.Unsigned(1), y = static_cast<UInt128>(c.Unsigned(2)) + carry;
      if (in.carry) carry = x < y;
      c.Set(static_cast<uint64_t>(x - y));
      break;
    }
    case Opcode::kMul:
    case Opcode::kMad:
    case Opcode::kMadc:
    case Opcode::kMul24:
    case Opcode::kMad24:
      ExecMultiply(c);
      break;
    case Opcode::kDiv:
    case Opcode::kRem: {
      bool is_div = in.op == Opcode::kDiv;
      if (!c.Unsigned(2)) {
        c.Set(is_div ? ~0ull : c.Arg(1));
      } else {
        Int128 x = c.Wide(1), y = c.Wide(2);
        c.Set(static_cast<uint64_t>(is_div ? x / y : x % y));
      }
      break;
    }
    case Opcode::kAbs: {
      int64_t x = c.Extended(1);
      c.Set(x < 0 ? -static_cast<uint64_t>(x) : x);
      break;
    }
    case Opcode::kNeg:
      c.Set(-c.Arg(1));
      break;
    case Opcode::kSad: {
      Int128 x = c.Wide(1), y = c.Wide(2);
      c.Set(static_cast<uint64_t>(x > y ? x - y : y - x) + c.Arg(3));
      break;
    }
    case Opcode::kMin:
    case Opcode::kMax:
      ExecIntegerMinMax(c);
      break;
    case Opcode::kDp4a: {
      uint32_t a = c.Arg(1), b = c.Arg(2);
      int64_t r = c.Arg(3);
      auto byte = [](uint32_t word, int i, Type type) -> int64_t {
        uint8_t value = word >> 8 * i;
        return IsSigned(type) ? static_cast<int8_t>(value) : value;
      };
      for (int i = 0; i < 4; ++i) r += byte(a, i, c.type) * byte(b, i, in.type2);
      c.SetRaw(static_cast<uint32_t>(r));
      break;
    }
    default:
      break;
  }
}

}  // namespace ptxsim
