// How many instructions the threads and warps of a launch execute, an instruction of PTX taken for
// about so many as nvcc makes of it; only for statistics.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_PATHS_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_PATHS_H_

#include <map>
#include <string>
#include <vector>

#include "machine.h"

namespace ptxsim {

// Of a launch so far.
struct Paths {
  std::vector<double> longest;  // per interval between barriers; as the next two, a block's mean
  double repeating = 0, once = 0;
  double warp_work = 0;                      // of all warps
  std::map<std::string, uint64_t> executed;  // instructions of all warps, by opcode
};

void BeginPaths();
void RecordInstruction(Thread& thread, Frame& frame, const Instruction& in);
void EndInterval(Block& block);  // at a barrier that the whole block has reached
void FoldBlockPaths(Block& block);
Paths SummarizePaths();

std::string OpcodeOf(const Instruction& in);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_PATHS_H_
