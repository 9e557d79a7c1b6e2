// Forward pass on the CPU: mean, max, norm ... over time of x, [B, T, C] or [B, C, T].
#ifndef STATPOOL_CPU_GLOBAL_STATS_CPU_H_
#define STATPOOL_CPU_GLOBAL_STATS_CPU_H_

#include "cc/core/problem.h"
#include "cc/cpu/instruction_set.h"
#include "cc/cpu/parallel.h"

namespace statpool {
namespace cpu {

// Bytes of workspace that GlobalStats needs for this problem, aligned as operator new aligns.
int64_t GlobalStatsWorkspaceBytes(const core::Problem& problem, core::DType dtype);

// Writes every element of y and saved. Arguments must obey the contract: lengths within [0, T].
void GlobalStats(void* y,                 // [B, S * C], out_dtype
                 void* saved,             // [B, planes, C], compute type of dtype
                 const void* x,           // [B, T, C] or [B, C, T], dtype
                 const bool* mask,        // [B, T] or null
                 const int64_t* lengths,  // [B] or null
                 const core::Problem& problem, core::DType dtype, core::DType out_dtype,
                 void* workspace, const InstructionSet& instruction_set,
                 const ParallelFor& parallel_for);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GLOBAL_STATS_CPU_H_
