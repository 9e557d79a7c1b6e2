// The interface between the passes and the kernels of an instruction set, which run a range of
// units of the plan.
#ifndef STATPOOL_CPU_KERNELS_H_
#define STATPOOL_CPU_KERNELS_H_

#include <cstdint>

#include "cc/core/problem.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {

struct ForwardArguments : core::ForwardBuffers {
  core::Problem problem;
  core::SavedFieldList fields;
  Plan plan;
};

struct GradientArguments : core::GradientBuffers {
  core::Problem problem;
  core::SavedFieldList fields;
  Plan plan;
  bool streaming;  // dx exceeds the caches: write around them
};

struct Kernels {
  // Units [begin, end) of the plan: finished results, or the partial ones of each split.
  void (*forward)(const ForwardArguments&, int64_t begin, int64_t end);
  // Joins the splits of tiles [begin, end), of which there are batch * plan.tiles.
  void (*join)(const ForwardArguments&, int64_t begin, int64_t end);
  void (*gradient)(const GradientArguments&, int64_t begin, int64_t end);
};

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_KERNELS_H_
