// The rare slow path of float64 (core/rescaled.h) for a channel of a tile.
#ifndef STATPOOL_CPU_RESCALED_H_
#define STATPOOL_CPU_RESCALED_H_

#include <cmath>

#include "cc/core/rescaled.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/steps.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

template <typename TileOf>
bool NeedsRescaling(const TileOf& tile, const core::Needs& needs, double epsilon, int64_t c) {
  return (needs.sum && !std::isfinite(tile.sum.value[c])) ||
         (needs.squares && core::IsOffScale(tile.squares.value[c], epsilon)) ||
         (needs.central && core::IsOffScale(tile.deviations.value[c], epsilon));
}

// The statistics of (b, c) that are built on sums, by scalar passes over the whole of time.
inline core::Rescaled RescaledSums(const ForwardArguments& a, const core::Needs& needs, int64_t b,
                                   int64_t c) {
  const core::Shape& shape = a.problem.shape;
  const bool last = a.problem.layout == core::Layout::kChannelsLast;
  const int64_t stride = last ? shape.channels : 1;
  const double* x = static_cast<const double*>(a.x) + b * shape.time * shape.channels +
                    (last ? c : c * shape.time);
  const bool* mask = a.mask == nullptr ? nullptr : a.mask + b * shape.time;
  const int64_t end = EndOfExample(a.lengths, b, shape);
  const auto for_each = [&](const auto& visit) {
    for (int64_t t = 0; t < end; ++t) {
      if (mask == nullptr || mask[t]) visit(x[t * stride]);
    }
  };
  return core::RescaledSums(for_each, needs, a.problem.epsilon);
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_RESCALED_H_
