#include "cc/cpu/global_stats_cpu.h"

#include "cc/core/statistics.h"
#include "cc/cpu/cost.h"
#include "cc/cpu/full_precision.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {

int64_t GlobalStatsWorkspaceBytes(const core::Problem& problem, core::DType dtype) {
  return WorkspaceBytes(problem, dtype);
}

void GlobalStats(void* y, void* saved, const void* x, const bool* mask, const int64_t* lengths,
                 const core::Problem& problem, core::DType dtype, core::DType out_dtype,
                 void* workspace, const InstructionSet& instruction_set,
                 const ParallelFor& parallel_for) {
  const Plan plan = MakePlan(problem);
  const ForwardArguments arguments = {y,
                                      saved,
                                      x,
                                      mask,
                                      lengths,
                                      problem,
                                      dtype,
                                      out_dtype,
                                      core::SavedPlanes(problem.statistics),
                                      plan,
                                      static_cast<char*>(workspace)};
  const Kernels& kernels = instruction_set.kernels(dtype);
  parallel_for(plan.units, UnitCost(plan, dtype), [&](int64_t begin, int64_t end) {
    const ScopedFullPrecision full_precision;
    kernels.forward(arguments, begin, end);
  });
  if (plan.splits <= 1) return;
  parallel_for(problem.shape.batch * plan.tiles, JoinCost(plan), [&](int64_t begin, int64_t end) {
    const ScopedFullPrecision full_precision;
    kernels.join(arguments, begin, end);
  });
}

}  // namespace cpu
}  // namespace statpool
