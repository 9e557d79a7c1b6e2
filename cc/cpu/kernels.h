// Internal: the table of kernels that kernels_isa.cc makes for each instruction set, and that
// global_stats_cpu.cc calls for ranges of units.
#ifndef STATPOOL_CPU_KERNELS_H_
#define STATPOOL_CPU_KERNELS_H_

#include <cstdint>

#include "cc/core/activation.h"
#include "cc/core/problem.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {

struct ForwardArguments : core::ForwardBuffers {
  core::Problem problem;
  core::KernelActivation activation;
  core::SavedFieldList fields;
  Plan plan;
};

struct GradientArguments : core::GradientBuffers {
  core::Problem problem;
  core::KernelActivation activation;
  core::SavedFieldList fields;
  Plan plan;
  bool streaming;  // dx is larger than the caches: write around them
};

struct Kernels {
  // Units [begin, end) of the plan: results, or the partial results of each split.
  void (*forward)(const ForwardArguments&, int64_t begin, int64_t end);
  // Joins the splits of tiles [begin, end) of batch * plan.tiles.
  void (*join)(const ForwardArguments&, int64_t begin, int64_t end);
  void (*gradient)(const GradientArguments&, int64_t begin, int64_t end);
};

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_KERNELS_H_
