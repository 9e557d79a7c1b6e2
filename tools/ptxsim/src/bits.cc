// Logic, shifts, bit fields and permutations.
#include <algorithm>

#include "instructions.h"

namespace ptxsim {
namespace {

uint64_t BitFieldExtract(const Context& c) {
  uint32_t bits = c.bits, at = c.Arg(2) & 255, length = c.Arg(3) & 255;
  uint64_t x = c.Unsigned(1);
  bool sign = false;
  if (IsSigned(c.type) && length) sign = x >> std::min(at + length - 1, bits - 1) & 1;
  uint64_t r = at >= bits ? 0 : x >> at;
  if (length >= 64) return r;
  uint64_t mask = (1ull << length) - 1;
  r &= mask;
  if (at + length > bits && sign) {  // the field reaches over the end: filled with the sign
    for (uint32_t i = bits > at ? bits - at : 0; i < length; ++i) r |= 1ull << i;
  }
  return sign ? r | ~mask : r;
}

uint64_t BitFieldInsert(const Context& c) {
  uint32_t at = c.Arg(3) & 255, length = c.Arg(4) & 255;
  uint64_t mask = length >= 64 ? ~0ull : (1ull << length) - 1;
  mask = at >= 64 ? 0 : mask << at;
  return (c.Unsigned(2) & ~mask) | ((at >= 64 ? 0 : c.Arg(1) << at) & mask);
}

uint32_t PermuteBytes(const Context& c) {
  uint64_t bytes = static_cast<uint64_t>(static_cast<uint32_t>(c.Arg(2))) << 32 |
                   static_cast<uint32_t>(c.Arg(1));
  uint32_t selector = c.Arg(3), r = 0;
  int k = selector & 3;
  for (int i = 0; i < 4; ++i) {
    uint32_t pick = (selector >> (4 * i)) & 15;
    switch (c.in.mode) {
      case Mode::kF4e:
        pick = k + i;
        break;
      case Mode::kB4e:
        pick = (k - i) & 7;
        break;
      case Mode::kRc8:
        pick = k;
        break;
      case Mode::kEcl:
        pick = std::max(k, i);
        break;
      case Mode::kEcr:
        pick = std::min(k, i);
        break;
      case Mode::kRc16:
        pick = (k & 1) * 2 + (i & 1);
        break;
      default:
        break;
    }
    uint32_t byte = (bytes >> (8 * (pick & 7))) & 255;
    if (pick & 8) byte = byte & 128 ? 255 : 0;  // replicate the sign
    r |= byte << (8 * i);
  }
  return r;
}

}  // namespace

void ExecBits(const Context& c) {
  const Instruction& in = c.in;
  uint32_t bits = c.bits;
  switch (in.op) {
    case Opcode::kAnd:
      c.Set(c.Arg(1) & c.Arg(2));
      break;
    case Opcode::kOr:
      c.Set(c.Arg(1) | c.Arg(2));
      break;
    case Opcode::kXor:
      c.Set(c.Arg(1) ^ c.Arg(2));
      break;
    case Opcode::kNot:
      c.Set(c.type == kPred ? !c.Arg(1) : ~c.Arg(1));
      break;
    case Opcode::kCnot:
      c.Set(!c.Unsigned(1));
      break;
    case Opcode::kShl: {
      uint32_t by = c.Arg(2);
      c.Set(by >= bits ? 0 : c.Arg(1) << by);
      break;
    }
    case Opcode::kShr: {
      uint32_t by = c.Arg(2);
      if (IsSigned(c.type)) {
        c.Set(c.Extended(1) >> std::min(by, bits - 1));
      } else {
        c.Set(by >= bits ? 0 : c.Unsigned(1) >> by);
      }
      break;
    }
    case Opcode::kShf: {
      uint32_t by = c.Arg(3);
      by = in.clamp ? std::min<uint32_t>(by, 32) : by & 31;
      uint64_t both = static_cast<uint64_t>(static_cast<uint32_t>(c.Arg(2))) << 32 |
                      static_cast<uint32_t>(c.Arg(1));
      c.Set(in.left ? (both << by) >> 32 : both >> by);
      break;
    }
    case Opcode::kBfe:
      c.Set(BitFieldExtract(c));
      break;
    case Opcode::kBfi:
      c.Set(BitFieldInsert(c));
      break;
    case Opcode::kBfind: {
      uint64_t x = c.Unsigned(1);
      if (IsSigned(c.type) && c.Extended(1) < 0) x = ~x & MaskOf(c.type);
      uint32_t r = ~0u;
      if (x) {
        r = 63 - __builtin_clzll(x);
        if (in.mode == Mode::kShiftAmount) r = bits - 1 - r;
      }
      c.SetRaw(r);
      break;
    }
    case Opcode::kBrev: {
      uint64_t x = c.Unsigned(1), r = 0;
      for (uint32_t i = 0; i < bits; ++i) {
        if (x >> i & 1) r |= 1ull << (bits - 1 - i);
      }
      c.Set(r);
      break;
    }
    case Opcode::kClz: {
      uint64_t x = c.Unsigned(1);
      c.SetRaw(x ? __builtin_clzll(x) - (64 - bits) : bits);
      break;
    }
    case Opcode::kPopc:
      c.SetRaw(__builtin_popcountll(c.Unsigned(1)));
      break;
    case Opcode::kLop3: {
      uint32_t x = c.Arg(1), y = c.Arg(2), z = c.Arg(3), table = c.Arg(4), r = 0;
      for (int i = 0; i < 8; ++i) {
        if (table >> i & 1) r |= (i & 4 ? x : ~x) & (i & 2 ? y : ~y) & (i & 1 ? z : ~z);
      }
      c.Set(r);
      break;
    }
    case Opcode::kPrmt:
      c.Set(PermuteBytes(c));
      break;
    case Opcode::kCopysign: {
      uint64_t sign = 1ull << (bits - 1);
      c.Set((c.Arg(2) & ~sign) | (c.Arg(1) & sign));
      break;
    }
    default:
      break;
  }
}

}  // namespace ptxsim
