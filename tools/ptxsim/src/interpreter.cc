// Executes the instructions of one thread. Each Exec... function handles one Group.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "arithmetic.h"
#include "machine.h"
#include "paths.h"
#include "stats.h"

namespace ptxsim {

uint64_t g_instructions = 0;

namespace {

constexpr size_t kMaxCallDepth = 200;
// Accesses that other blocks may be polled with cost extra, so that a spinning thread gives way
// soon and its block makes room for the one it waits for.
constexpr int kPollCost = 1000;

// What the Exec... functions need of the instruction at hand.
struct Context {
  Thread& t;
  const Instruction& in;
  Type type;
  int bits;

  Context(Thread& thread, const Instruction& instruction)
      : t(thread), in(instruction), type(in.type), bits(8 * SizeOf(in.type)) {}

  size_t args() const { return in.args.size(); }
  uint64_t Arg(int i) const { return Read(t, in.args[i]); }
  uint64_t Unsigned(int i) const { return Arg(i) & MaskOf(type); }
  int64_t Extended(int i) const { return Extend(Arg(i), type); }
  Int128 Wide(int i) const {
    return IsSigned(type) ? static_cast<Int128>(Extended(i)) : static_cast<Int128>(Unsigned(i));
  }
  void Set(uint64_t value) const { Write(t, in.args[0], value & MaskOf(type)); }
  void SetRaw(uint64_t value) const { Write(t, in.args[0], value); }
};

// --- float ----------------------------------------------------------------------------------

void ExecFloat(const Context& c) {
  const Instruction& in = c.in;
  bool packed = c.type == kF16x2 || c.type == kBf16x2;
  uint64_t sign = packed ? 0x80008000 : 1ull << (c.bits - 1);
  if (c.args() == 4 && (in.op == Opcode::kMin || in.op == Opcode::kMax)) {
    c.Set(FloatOp(in, FloatOp(in, c.Arg(1), c.Arg(2), 0), c.Arg(3), 0));
  } else if (in.op == Opcode::kNeg && (packed || !in.ftz)) {
    c.Set(c.Arg(1) ^ sign);  // NaNs keep their bits
  } else if (in.op == Opcode::kAbs && (packed || !in.ftz)) {
    c.Set(c.Arg(1) & ~sign);
  } else {
    c.Set(FloatOp(in, c.Arg(1), c.args() > 2 ? c.Arg(2) : 0, c.args() > 3 ? c.Arg(3) : 0));
  }
}

// --- integer --------------------------------------------------------------------------------

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

// --- bits -----------------------------------------------------------------------------------

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

// --- compare, select, move, convert ---------------------------------------------------------

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

// --- memory ---------------------------------------------------------------------------------

// The i-th register of "{%f1, %f2}" or of a single one.
const Operand& Item(const Operand& o, int i) { return o.kind == Operand::kVector ? o.items[i] : o; }

void ExecAtomic(const Context& c) {
  const Instruction& in = c.in;
  int first = in.op == Opcode::kAtom ? 1 : 0;  // red has no result
  int size = SizeOf(c.type);
  uint8_t* p = Resolve(c.t, &in, in.space, c.Arg(first), size * in.vector, Access::kAtomic);
  uint64_t swap = c.args() > static_cast<size_t>(first) + 2 ? c.Arg(first + 2) : 0;
  for (int i = 0; i < in.vector; i++, p += size) {
    uint64_t old = 0;
    std::memcpy(&old, p, size);
    uint64_t value = ReduceOp(in, c.type, old, Read(c.t, Item(in.args[first + 1], i)), swap);
    std::memcpy(p, &value, size);
    if (first) Write(c.t, Item(in.args[0], i), old);
  }
}

void ExecMemory(const Context& c) {
  const Instruction& in = c.in;
  int size = SizeOf(c.type), total = size * in.vector;
  switch (in.op) {
    case Opcode::kLd:
    case Opcode::kLdu: {
      const uint8_t* p = Resolve(c.t, &in, in.space, c.Arg(1), total, Access::kLoad);
      for (int i = 0; i < in.vector; ++i) {
        uint64_t value = 0;
        std::memcpy(&value, p + i * size, size);
        if (IsSigned(c.type)) value = Extend(value, c.type);
        Write(c.t, Item(in.args[0], i), value);
      }
      break;
    }
    case Opcode::kSt: {
      uint8_t* p = Resolve(c.t, &in, in.space, c.Arg(0), total, Access::kStore);
      for (int i = 0; i < in.vector; ++i) {
        uint64_t value = Read(c.t, Item(in.args[1], i));
        std::memcpy(p + i * size, &value, size);
      }
      break;
    }
    case Opcode::kAtom:
    case Opcode::kRed:
      ExecAtomic(c);
      break;
    case Opcode::kCp:
      if (in.mode == Mode::kCommitGroup) {
        CommitAsyncGroup(c.t);
      } else if (in.mode == Mode::kWaitGroup) {
        WaitAsyncGroups(c.t, c.Arg(0));
      } else if (in.mode == Mode::kWaitAll) {
        CommitAsyncGroup(c.t);
        WaitAsyncGroups(c.t, 0);
      } else {
        int bytes = c.Arg(2);
        IssueAsyncCopy(c.t, &in, c.Arg(0), c.Arg(1),
                       c.args() > 3 ? std::min<int>(c.Arg(3), bytes) : bytes, bytes);
      }
      break;
    default:
      break;
  }
}

// --- control --------------------------------------------------------------------------------

// printf of the device: the arguments lie one after the other, 8-byte ones aligned.
void DevicePrintf(Thread& t, const Instruction* in, uint64_t format_address, uint64_t args) {
  std::string format(
      reinterpret_cast<char*>(Resolve(t, in, kGeneric, format_address, 1, Access::kLoad)));
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || format[i + 1] == '%') {
      out += format[i];
      if (format[i] == '%') ++i;
      continue;
    }
    size_t j = i + 1;
    bool is_long = false;
    while (j < format.size() && !isalpha(static_cast<uint8_t>(format[j]))) ++j;
    while (format[j] == 'l' || format[j] == 'h' || format[j] == 'z') is_long |= format[j++] != 'h';
    char kind = format[j];
    std::string spec = format.substr(i, j - i + 1);
    bool is_float = std::strchr("feEgGa", kind);
    int size = is_long || is_float || kind == 's' || kind == 'p' ? 8 : 4;
    if (size == 8) args = (args + 7) & ~7ull;
    uint64_t value = 0;
    std::memcpy(&value, Resolve(t, in, kGeneric, args, size, Access::kLoad), size);
    args += size;
    char text[400];
    if (is_float) {
      snprintf(text, sizeof text, spec.c_str(), DoubleOf(value));
    } else if (kind == 's') {
      snprintf(text, sizeof text, spec.c_str(), reinterpret_cast<char*>(value));
    } else if (size == 8) {
      snprintf(text, sizeof text, spec.c_str(), value);
    } else {
      snprintf(text, sizeof text, spec.c_str(), static_cast<int>(value));
    }
    out += text;
    i = j;
  }
  fputs(out.c_str(), stdout);
}

// Functions that the device runtime provides.
void CallBuiltin(Thread& t, const Instruction& in, const Function& function) {
  Frame& frame = t.frame();
  auto arg = [&](int i) {
    uint64_t value = 0;
    std::memcpy(&value, &frame.params[in.call_args[2 * i]], std::min(8, in.call_args[2 * i + 1]));
    return value;
  };
  if (function.name == "vprintf") {
    DevicePrintf(t, &in, arg(0), arg(1));
    if (!in.call_results.empty()) std::memset(&frame.params[in.call_results[0]], 0, 4);
  } else if (function.name == "__assertfail") {
    t.state = ThreadState::kDone;
    Report(t, &in, "device assert failed: %s at %s:%u", reinterpret_cast<char*>(arg(0)),
           reinterpret_cast<char*>(arg(1)), static_cast<uint32_t>(arg(2)));
  } else if (function.name == "malloc") {
    uint64_t p = reinterpret_cast<uint64_t>(AllocateGlobal(arg(0), "device malloc"));
    std::memcpy(&frame.params[in.call_results[0]], &p, 8);
  } else if (function.name == "free") {
    FreeGlobal(reinterpret_cast<void*>(arg(0)));
  } else {
    Report(t, &in, "call of function %s without a body", function.name.c_str());
  }
}

void Call(Thread& t, const Instruction& in) {
  Frame& caller = t.frame();
  int index = in.callee;
  if (index < 0) {
    uint64_t value = Read(t, in.args[0]);
    if ((value & kTagMask) != kTagFunction) {
      Report(t, &in, "indirect call of a non-function");
      t.state = ThreadState::kDone;
      return;
    }
    index = value & ~kTagMask;
  }
  const Function& function = *t.block->launch->module->functions[index];
  ++caller.pc;
  if (function.code.empty()) return CallBuiltin(t, in, function);
  if (t.frames.size() > kMaxCallDepth) {
    t.state = ThreadState::kDone;
    Report(t, &in, "call depth over %zu", kMaxCallDepth);
    return;
  }
  std::unique_ptr<Frame> frame(new Frame);
  frame->function = &function;
  frame->registers.resize(function.registers);
  frame->params.resize(function.param_size);
  frame->locals.assign(function.local_size, 0xFF);
  frame->call = &in;
  for (size_t i = 0; i < function.params.size() && 2 * i < in.call_args.size(); ++i) {
    std::memcpy(&frame->params[function.params[i].offset], &caller.params[in.call_args[2 * i]],
                std::min(function.params[i].size, in.call_args[2 * i + 1]));
  }
  t.frames.push_back(std::move(frame));
}

void Return(Thread& t) {
  if (t.frames.size() == 1) {
    t.state = ThreadState::kDone;
    return;
  }
  Frame& callee = t.frame();
  Frame& caller = *t.frames[t.frames.size() - 2];
  const auto& results = callee.function->results;
  const auto& places = callee.call->call_results;
  for (size_t i = 0; i < results.size() && 2 * i < places.size(); ++i) {
    std::memcpy(&caller.params[places[2 * i]], &callee.params[results[i].offset], results[i].size);
  }
  t.frames.pop_back();
}

// Moves the program counter by itself.
void ExecControl(const Context& c) {
  Thread& t = c.t;
  switch (c.in.op) {
    case Opcode::kBra:
      t.frame().pc = c.in.target;
      return;
    case Opcode::kCall:
      Call(t, c.in);
      return;
    case Opcode::kRet:
      Return(t);
      return;
    case Opcode::kExit:
      t.state = ThreadState::kDone;
      return;
    case Opcode::kTrap:
      t.state = ThreadState::kDone;
      Report(t, &c.in, "trap");
      return;
    // No effect here: memory is sequentially consistent, and there is no cache.
    case Opcode::kMembar:
    case Opcode::kFence:
    case Opcode::kPrefetch:
    case Opcode::kPrefetchu:
    case Opcode::kNanosleep:
    case Opcode::kCreatepolicy:
    case Opcode::kGriddepcontrol:
    case Opcode::kDiscard:
    case Opcode::kApplypriority:
    case Opcode::kPmevent:
    case Opcode::kBrkpt:
      break;
    default:
      Report(t, &c.in, "NOT SUPPORTED by ptxsim");
      break;
  }
  ++t.frame().pc;
}

}  // namespace

uint64_t ReadSpecial(Thread& t, int which) {
  const Launch& launch = *t.block->launch;
  uint32_t lane = t.lane;
  switch (which) {
    case kSrTidX:
    case kSrTidY:
    case kSrTidZ:
      return t.tid[which - kSrTidX];
    case kSrNtidX:
      return launch.block_dim.x;
    case kSrNtidY:
      return launch.block_dim.y;
    case kSrNtidZ:
      return launch.block_dim.z;
    case kSrCtaidX:
    case kSrCtaidY:
    case kSrCtaidZ:
      return t.block->id[which - kSrCtaidX];
    case kSrNctaidX:
      return launch.grid.x;
    case kSrNctaidY:
      return launch.grid.y;
    case kSrNctaidZ:
      return launch.grid.z;
    case kSrLaneId:
      return lane;
    case kSrWarpId:
      return t.warp;
    case kSrNWarpId:
      return (t.block->threads.size() + kWarpSize - 1) / kWarpSize;
    case kSrSmId:
      return t.block->index % CurrentOptions().sm_count;
    case kSrNSmId:
      return CurrentOptions().sm_count;
    case kSrGridId:
      return 1;
    case kSrMaskEq:
      return 1u << lane;
    case kSrMaskLe:
      return static_cast<uint32_t>((2ull << lane) - 1);
    case kSrMaskLt:
      return (1u << lane) - 1;
    case kSrMaskGe:
      return static_cast<uint32_t>(~0u << lane);
    case kSrMaskGt:
      return lane == 31 ? 0 : static_cast<uint32_t>(~0u << (lane + 1));
    case kSrClock:
    case kSrClock64:
    case kSrGlobalTimer:
    case kSrGlobalTimerLo:
      return g_instructions;
    case kSrEnvReg1:
      return launch.grid_workspace >> 32;
    case kSrEnvReg2:
      return static_cast<uint32_t>(launch.grid_workspace);
    case kSrDynamicSmem:
      return launch.dynamic_smem;
    case kSrTotalSmem:
      return launch.kernel->shared_used + launch.dynamic_smem;
    case kSrClusterSize:
    case kSrClusterNctaidX:
      return 1;
    default:
      return 0;
  }
}

void RunThread(Thread& t) {
  const bool counts = StatsEnabled();
  while (t.slice-- > 0 && t.state == ThreadState::kReady) {
    Frame& frame = t.frame();
    const Instruction& in = frame.function->code[frame.pc];
    ++g_instructions;
    if (counts) RecordInstruction(t, frame, in);
    t.at = &in;
    if (in.predicate >= 0 && !frame.registers[in.predicate] != in.predicate_negated) {
      ++frame.pc;
      continue;
    }
    Context c(t, in);
    switch (in.group) {
      case Group::kFloat:
        ExecFloat(c);
        break;
      case Group::kInteger:
        ExecInteger(c);
        break;
      case Group::kBits:
        ExecBits(c);
        break;
      case Group::kCompareMove:
        ExecCompareMove(c);
        break;
      case Group::kMemory:
        ExecMemory(c);
        if (in.strong || in.op == Opcode::kAtom) t.slice -= kPollCost;
        break;
      case Group::kControl:
        ExecControl(c);
        continue;
      case Group::kCollective:
        BeginCollective(t, in);
        continue;
    }
    ++frame.pc;
  }
}

}  // namespace ptxsim
