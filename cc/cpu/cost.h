// Estimated nanoseconds of a unit of work, from which it is decided whether threads are worthwhile.
#ifndef STATPOOL_CPU_COST_H_
#define STATPOOL_CPU_COST_H_

#include <cstdint>

#include "cc/core/dtype.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {

// As for what lies in the caches, forward or backward: larger input takes longer, but there the
// answer is plain.
inline int64_t UnitCost(const Plan& plan, core::DType dtype) {
  const int64_t quarters = dtype == core::DType::kFloat64 ? 2 : 1;
  const int64_t elements = plan.channels_per_tile * plan.steps_per_split;
  return elements * quarters / 4 + plan.channels_per_tile * 2;
}

inline int64_t JoinCost(const Plan& plan) { return plan.channels_per_tile * (2 + 2 * plan.splits); }

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_COST_H_
