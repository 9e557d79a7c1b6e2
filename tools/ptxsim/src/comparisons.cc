// Comparisons, selections, moves and conversions.
#include <cmath>

#include "instructions.h"

namespace ptxsim {
namespace {

bool TestProperty(const Context& c) {
  double x = Unpack(c.Arg(1), c.type, false);
  double min_normal = c.type == kF32 ? 1.17549435e-38 : 2.2250738585072014e-308;
  bool subnormal = x != 0 && fabs(x) < min_normal;
  switch (c.in.mode) {
    case Mode::kFinite:
      return std::isfinite(x);
    case Mode::kInfinite:
      return std::isinf(x);
    case Mode::kNumber:
      return !std::isnan(x);
    case Mode::kNotANumber:
      return std::isnan(x);
    case Mode::kNormal:
      return std::isfinite(x) && x != 0 && !subnormal;
    case Mode::kSubnormal:
      return subnormal;
    default:
      return false;
  }
}

void ExecCompare(const Context& c) {
  const Instruction& in = c.in;
  bool is_set = in.op == Opcode::kSet;
  Type of = is_set ? in.type2 : c.type;
  auto compare = [&](uint64_t x, uint64_t y) {
    if (IsFloat(of)) {
      return CompareFloats(in.compare, Unpack(x, of, in.ftz), Unpack(y, of, in.ftz));
    }
    return CompareInts(in.compare, x & MaskOf(of), y & MaskOf(of), of);
  };
  bool third = c.args() > 3 && c.Arg(3);
  auto combine = [&](bool value) {
    switch (in.combine) {
      case kCombineAnd:
        return value && third;
      case kCombineOr:
        return value || third;
      case kCombineXor:
        return value != third;
      default:
        return value;
    }
  };
  bool low = compare(c.Arg(1), c.Arg(2));
  if (of == kF16x2 || of == kBf16x2) {
    bool high = compare(c.Arg(1) >> 16, c.Arg(2) >> 16);
    if (is_set) {
      uint64_t one = c.type != of ? 0xffff : of == kF16x2 ? 0x3c00 : 0x3f80;
      c.Set((low ? one : 0) | (high ? one << 16 : 0));
    } else {
      Write(c.t, in.args[0].items[0], combine(low));
      Write(c.t, in.args[0].items[1], combine(high));
    }
    return;
  }
  bool r = combine(low);
  if (is_set) {
    uint64_t one = c.type == kF32    ? 0x3f800000
                   : c.type == kF16  ? 0x3c00
                   : c.type == kBf16 ? 0x3f80
                                     : ~0ull;
    c.Set(r ? one : 0);
  } else if (in.args[0].kind == Operand::kVector) {  // p|q: q gets the negated comparison
    Write(c.t, in.args[0].items[0], r);
    Write(c.t, in.args[0].items[1], combine(!low));
  } else {
    c.SetRaw(r);
  }
}

void ExecMove(const Context& c) {
  const Operand& to = c.in.args[0];
  const Operand& from = c.in.args[1];
  auto part_mask = [](int bits) { return bits == 64 ? ~0ull : (1ull << bits) - 1; };
  if (to.kind == Operand::kVector) {  // unpack
    int part = c.bits / to.items.size();
    uint64_t value = c.Arg(1);
    for (size_t i = 0; i < to.items.size(); ++i) {
      Write(c.t, to.items[i], part == 64 ? value : (value >> (part * i)) & part_mask(part));
    }
  } else if (from.kind == Operand::kVector) {  // pack
    int part = c.bits / from.items.size();
    uint64_t value = 0;
    for (size_t i = 0; i < from.items.size(); ++i) {
      value |= (Read(c.t, from.items[i]) & part_mask(part)) << (part * i);
    }
    c.Set(value);
  } else if (from.kind == Operand::kSymbol && from.space == kShared) {
    c.SetRaw(c.Arg(1));
  } else {
    c.Set(c.Arg(1));
  }
}

}  // namespace

void ExecCompareMove(const Context& c) {
  const Instruction& in = c.in;
  switch (in.op) {
    case Opcode::kTestp:
      c.SetRaw(TestProperty(c));
      break;
    case Opcode::kSetp:
    case Opcode::kSet:
      ExecCompare(c);
      break;
    case Opcode::kSelp:
      c.Set(c.Arg(3) ? c.Arg(1) : c.Arg(2));
      break;
    case Opcode::kSlct: {
      bool first = in.type2 == kF32 ? FloatOf(c.Arg(3)) >= 0 : Extend(c.Arg(3), kS32) >= 0;
      c.Set(first ? c.Arg(1) : c.Arg(2));
      break;
    }
    case Opcode::kMov:
      ExecMove(c);
      break;
    case Opcode::kCvt:
      c.SetRaw(Convert(in, c.Arg(1), c.args() > 2 ? c.Arg(2) : 0));
      break;
    case Opcode::kCvta: {
      uint64_t value = c.Arg(1);
      uint64_t tag = in.space == kShared  ? kTagShared
                     : in.space == kLocal ? kTagLocal
                     : in.space == kParam ? kTagParam
                                          : 0;
      if (in.to) {
        value &= ~kTagMask;
      } else {
        value = (in.space == kShared ? value & 0xffffffff : value) | tag;
      }
      c.SetRaw(value);
      break;
    }
    case Opcode::kIsspacep: {
      uint64_t tag = c.Arg(1) & kTagMask;
      c.SetRaw(in.space == kShared  ? tag == kTagShared
               : in.space == kLocal ? tag == kTagLocal
               : in.space == kParam ? tag == kTagParam
               : in.space == kConst ? false
                                    : tag == 0);
      break;
    }
    case Opcode::kActivemask:
      c.Set(1u << c.t.lane);
      break;
    default:
      break;
  }
}

}  // namespace ptxsim
