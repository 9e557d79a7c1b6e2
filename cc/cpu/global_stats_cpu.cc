#include "cc/cpu/global_stats_cpu.h"

#include "cc/core/dtype.h"
#include "cc/core/statistics.h"
#include "cc/cpu/huge_pages.h"
#include "cc/cpu/simd/full_precision.h"

namespace statpool {
namespace cpu {
namespace {

// A gradient of this size is in no cache when it is read, and allocators get fresh memory for it
// from the system (glibc's largest M_MMAP_THRESHOLD).
constexpr int64_t kLargeBytes = int64_t{32} << 20;
// Results of this size are those of very many examples, whose passes are short: fresh memory in
// small pages takes longer, and TensorFlow's threads get it from the system at less than
// kLargeBytes.
constexpr int64_t kLargeResultBytes = int64_t{4} << 20;

// Estimated nanoseconds of a unit, which decide whether threads are worthwhile: 1/2 for an element
// of float64, 1/4 for any other, and 2 for finishing a channel. The estimate is for input in the
// caches, because larger input takes longer and is worth threads anyway.
int64_t UnitCost(const Plan& plan, core::DType dtype) {
  const int64_t quarters = dtype == core::DType::kFloat64 ? 2 : 1;
  const int64_t channels = plan.examples_per_pack * plan.channels_per_tile;
  return channels * plan.steps_per_split * quarters / 4 + channels * 2;
}

void AdviseHugePagesIfLarge(void* results, const core::Shape& shape, int64_t rows,
                            int64_t bytes_of) {
  const int64_t bytes = shape.batch * shape.channels * rows * bytes_of;
  if (bytes >= kLargeResultBytes) AdviseHugePages(results, bytes);
}

// The same for joining a tile: 2 per channel for each split and for the result.
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
  const ForwardArguments arguments = {buffers, problem, core::KernelActivationOf(problem),
                                      core::SavedFieldsOf(problem.statistics), plan};
  AdviseHugePagesIfLarge(buffers.y, problem.shape, problem.statistics.size,
                         core::BytesOf(problem.out_dtype));
  AdviseHugePagesIfLarge(buffers.saved, problem.shape, arguments.fields.size,
                         problem.dtype == core::DType::kFloat64 ? 8 : 4);
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
  const GradientArguments arguments = {
      buffers, problem, core::KernelActivationOf(problem), core::SavedFieldsOf(problem.statistics),
      plan,    is_large};
  const Kernels& kernels = instruction_set.kernels(problem.dtype);
  RunPass(kernels.gradient, arguments, plan.units, UnitCost(plan, problem.dtype), threads);
}

}  // namespace cpu
}  // namespace statpool
