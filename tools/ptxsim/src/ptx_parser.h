// Text of PTX to a module that the interpreter can run.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_PTX_PARSER_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_PTX_PARSER_H_

#include <string>

#include "ptx.h"

namespace ptxsim {

// Parses a whole PTX module and resolves its symbols; faults on what it can't read. Instructions it
// doesn't know are kept as Opcode::kUnsupported and only reported if a thread meets one.
void ParsePtx(const std::string& text, Module* module);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_PTX_PARSER_H_
