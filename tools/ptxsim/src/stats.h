// Counts of memory traffic and of instructions, per launch: as text, as a JSON file, or read
// through ptxsim_stats_json().
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_STATS_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_STATS_H_

#include <string>

#include "machine.h"

namespace ptxsim {

bool StatsEnabled();
void SetStats(bool on);  // overrides PTXSIM_STATS
void ResetStats();       // forgets the launches so far
std::string StatsJson();

void BeginLaunchStats(const Launch& launch);
// `allocation` is null for shared memory, where `address` is an offset.
void RecordAccess(Thread& thread, const Instruction* in, Allocation* allocation, uint64_t address,
                  int bytes, Access access);
void FoldBlockStats(Block& block);
void EndLaunchStats(const Launch& launch);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_STATS_H_
