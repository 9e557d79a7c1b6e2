// The front door of cc/cpu: both passes, the statistics over time of x and the gradient, in one
// read of x each. A caller brings a plan (plan.h), an instruction set (instruction_set.h) and
// threads (threads.h); every other header is internal.
#ifndef STATPOOL_CPU_GLOBAL_STATS_CPU_H_
#define STATPOOL_CPU_GLOBAL_STATS_CPU_H_

#include "cc/core/api.h"
#include "cc/core/problem.h"
#include "cc/cpu/instruction_set.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/threads.h"

namespace statpool {
namespace cpu {

// Writes every element of y and saved. Lengths must be within [0, T], and `plan` must be
// MakePlan(problem).
STATPOOL_API void GlobalStats(const core::Problem& problem, const Plan& plan,
                              const core::ForwardBuffers& buffers,
                              const InstructionSet& instruction_set, Threads* threads);

// Writes every element of dx, under the same conditions. dx may be x: each element is read once,
// just before it is written.
STATPOOL_API void GlobalStatsGradient(const core::Problem& problem, const Plan& plan,
                                      const core::GradientBuffers& buffers,
                                      const InstructionSet& instruction_set, Threads* threads);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GLOBAL_STATS_CPU_H_
