// One function for each Group of instructions, and what they need of the instruction at hand.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_INSTRUCTIONS_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_INSTRUCTIONS_H_

#include "arithmetic.h"
#include "machine.h"

namespace ptxsim {

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

void ExecFloat(const Context& c);
void ExecInteger(const Context& c);
void ExecBits(const Context& c);
void ExecCompareMove(const Context& c);
void ExecMemory(const Context& c);
void ExecControl(const Context& c);  // moves the program counter by itself

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_INSTRUCTIONS_H_
