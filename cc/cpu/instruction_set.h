// The instruction sets that this build has kernels for, and the choice between them.
#ifndef STATPOOL_CPU_INSTRUCTION_SET_H_
#define STATPOOL_CPU_INSTRUCTION_SET_H_

#include <string>
#include <vector>

#include "cc/core/api.h"
#include "cc/cpu/kernels.h"

namespace statpool {
namespace cpu {

struct InstructionSet {
  const char* name;
  bool (*is_supported)();
  const Kernels& (*kernels)(core::DType);
};

// All that were compiled in, best first.
STATPOOL_API const std::vector<InstructionSet>& CompiledInstructionSets();

// The best one that this processor supports.
STATPOOL_API const InstructionSet& BestInstructionSet();

// The supported one with that name, or null.
STATPOOL_API const InstructionSet* FindInstructionSet(const std::string& name);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_INSTRUCTION_SET_H_
