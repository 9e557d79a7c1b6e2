// Estimated nanoseconds of a unit of work, from which thread pools decide how to spread it.
#ifndef STATPOOL_CPU_COST_H_
#define STATPOOL_CPU_COST_H_

#include <cstdint>

#include "cc/core/dtype.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {

// About 10 bytes a nanosecond for what is streamed, and 2 ns to finish a channel.
inline int64_t ForwardUnitCost(const Plan& plan, core::DType dtype) {
  const int64_t elements = plan.channels_per_tile * plan.steps_per_split;
  return elements * core::BytesOf(dtype) / 10 + plan.channels_per_tile * 2;
}

inline int64_t GradientUnitCost(const Plan& plan, core::DType dtype) {
  return 2 * ForwardUnitCost(plan, dtype);
}

inline int64_t JoinCost(const Plan& plan) { return plan.channels_per_tile * (2 + 2 * plan.splits); }

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_COST_H_
