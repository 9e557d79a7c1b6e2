// Which channels and steps of which example a unit of work owns.
#ifndef STATPOOL_CPU_UNIT_H_
#define STATPOOL_CPU_UNIT_H_

#include <algorithm>
#include <cstdint>

#include "cc/core/accumulators.h"
#include "cc/core/problem.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

struct Unit {
  int64_t b;
  int64_t first_channel;
  int64_t channels;
  int64_t split;
  int64_t first_step;
  int64_t end_step;
};

inline __attribute__((always_inline)) Unit UnitOf(const Plan& plan, const core::Shape& shape,
                                                  int64_t index) {
  Unit unit;
  unit.split = index % plan.splits;
  const int64_t tile = index / plan.splits % plan.tiles;
  unit.b = index / plan.splits / plan.tiles;
  unit.first_channel = tile * plan.channels_per_tile;
  unit.channels = std::min(plan.channels_per_tile, shape.channels - unit.first_channel);
  unit.first_step = unit.split * plan.steps_per_split;
  unit.end_step = std::min(unit.first_step + plan.steps_per_split, shape.time);
  return unit;
}

// How many of `steps` steps a mask keeps.
inline int64_t CountKept(const bool* mask, int64_t steps) {
  int64_t count = 0;
  for (int64_t t = 0; t < steps; ++t) count += core::Keeps(mask, t);
  return count;
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_UNIT_H_
