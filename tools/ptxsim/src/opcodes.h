// What the name of an instruction says: "ld.global.v4.f32" to an opcode and its modifiers.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_OPCODES_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_OPCODES_H_

#include <string>

#include "ptx.h"

namespace ptxsim {

// Sets opcode and modifiers; false if one of them isn't known: the instruction is then unsupported.
bool ParseOpcode(const std::string& name, Instruction* in);

Group GroupOf(const Instruction& in);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_OPCODES_H_
