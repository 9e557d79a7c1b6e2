#include "cc/cpu/global_stats_gradient_cpu.h"

#include "cc/core/dtype.h"
#include "cc/core/statistics.h"
#include "cc/cpu/cost.h"
#include "cc/cpu/full_precision.h"
#include "cc/cpu/huge_pages.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {
namespace {

// A gradient of this size will not be in any cache when its reader comes, and allocators get its
// memory anew from the system (glibc's largest M_MMAP_THRESHOLD).
constexpr int64_t kLargeBytes = int64_t{32} << 20;

}  // namespace

void GlobalStatsGradient(void* dx, const void* upstream, const void* x, const void* saved,
                         const bool* mask, const int64_t* lengths, const core::Problem& problem,
                         core::DType dtype, core::DType out_dtype,
                         const InstructionSet& instruction_set, const ParallelFor& parallel_for) {
  const core::Shape& shape = problem.shape;
  if (shape.time == 0) return;  // dx is empty
  const Plan plan = MakePlan(problem);
  const int64_t bytes = shape.batch * shape.time * shape.channels * core::BytesOf(dtype);
  const bool is_large = bytes >= kLargeBytes;
  if (is_large) AdviseHugePages(dx, bytes);
  const GradientArguments arguments = {
      dx,      upstream, x,     saved,     mask,
      lengths, problem,  dtype, out_dtype, core::SavedPlanes(problem.statistics),
      plan,    is_large};
  const Kernels& kernels = instruction_set.kernels(dtype);
  parallel_for(plan.units, UnitCost(plan, dtype), [&](int64_t begin, int64_t end) {
    const ScopedFullPrecision full_precision;
    kernels.gradient(arguments, begin, end);
  });
}

}  // namespace cpu
}  // namespace statpool
