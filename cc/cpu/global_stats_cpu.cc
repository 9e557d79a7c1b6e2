#include "cc/cpu/global_stats_cpu.h"

#include "cc/core/dtype.h"
#include "cc/core/statistics.h"
#include "cc/cpu/huge_pages.h"
#include "cc/cpu/simd/full_precision.h"

namespace statpool {
namespace cpu {
namespace {

// A gradient of this size will not be in any cache when its reader comes, and allocators get its
// memory anew from the system (glibc's largest M_MMAP_THRESHOLD).
constexpr int64_t kLargeBytes = int64_t{32} << 20;

// Estimated nanoseconds of a unit, from which it is decided whether threads are worthwhile: half
// of one a float64 element, a quarter of any other, and two for finishing a channel. So long does
// it take in the caches; larger input takes longer, but there the answer is plain.
int64_t UnitCost(const Plan& plan, core::DType dtype) {
  const int64_t quarters = dtype == core::DType::kFloat64 ? 2 : 1;
  const int64_t elements = plan.channels_per_tile * plan.steps_per_split;
  return elements * quarters / 4 + plan.channels_per_tile * 2;
}

// The same for joining a tile: two a channel for each split and for the result.
int64_t JoinCost(const Plan& plan) { return plan.channels_per_tile * (2 + 2 * plan.splits); }

template <typename Arguments>
void RunPass(void (*pass)(const Arguments&, int64_t begin, int64_t end), const Arguments& arguments,
             int64_t units, int64_t cost, Threads* threads) {
  ShareWork(threads, units, cost, [&](int64_t begin, int64_t end) {
    const ScopedFullPrecision full_precision;
    pass(arguments, begin, end);
  });
}

}  // namespace

void GlobalStats(const core::Problem& problem, const Plan& plan,
                 const core::ForwardBuffers& buffers, const InstructionSet& instruction_set,
                 Threads* threads) {
  const ForwardArguments arguments = {buffers, problem, core::SavedFieldsOf(problem.statistics),
                                      plan};
  const Kernels& kernels = instruction_set.kernels(problem.dtype);
  RunPass(kernels.forward, arguments, plan.units, UnitCost(plan, problem.dtype), threads);
  if (plan.splits <= 1) return;
  RunPass(kernels.join, arguments, problem.shape.batch * plan.tiles, JoinCost(plan), threads);
}

void GlobalStatsGradient(const core::Problem& problem, const Plan& plan,
                         const core::GradientBuffers& buffers,
                         const InstructionSet& instruction_set, Threads* threads) {
  const core::Shape& shape = problem.shape;
  if (shape.time == 0) return;  // dx is empty
  const int64_t bytes = shape.batch * shape.time * shape.channels * core::BytesOf(problem.dtype);
  const bool is_large = bytes >= kLargeBytes;
  if (is_large) AdviseHugePages(buffers.dx, bytes);
  const GradientArguments arguments = {buffers, problem, core::SavedFieldsOf(problem.statistics),
                                       plan, is_large};
  const Kernels& kernels = instruction_set.kernels(problem.dtype);
  RunPass(kernels.gradient, arguments, plan.units, UnitCost(plan, problem.dtype), threads);
}

}  // namespace cpu
}  // namespace statpool
