// Gradient on the CPU: one more read of x, one write of dx.
#ifndef STATPOOL_CPU_GLOBAL_STATS_GRADIENT_CPU_H_
#define STATPOOL_CPU_GLOBAL_STATS_GRADIENT_CPU_H_

#include "cc/core/problem.h"
#include "cc/cpu/instruction_set.h"
#include "cc/cpu/parallel.h"

namespace statpool {
namespace cpu {

// Writes every element of dx. Arguments must obey the contract: lengths within [0, T].
void GlobalStatsGradient(void* dx,                // as x
                         const void* upstream,    // [B, S * C], out_dtype
                         const void* x,           // [B, T, C] or [B, C, T], dtype
                         const void* saved,       // [B, planes, C], compute type of dtype
                         const bool* mask,        // [B, T] or null
                         const int64_t* lengths,  // [B] or null
                         const core::Problem& problem, core::DType dtype, core::DType out_dtype,
                         const InstructionSet& instruction_set, const ParallelFor& parallel_for);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GLOBAL_STATS_GRADIENT_CPU_H_
