// The rare slow path of float64 (core/rescaled.h) for a channel of a tile.
#ifndef STATPOOL_CPU_RESCALED_H_
#define STATPOOL_CPU_RESCALED_H_

#include "cc/core/rescaled.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/steps.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Whether any of channels [begin, end) does.
template <typename TileOf>
bool NeedRescaling(const TileOf& tile, const core::Needs& needs, double epsilon, int64_t begin,
                   int64_t end) {
  bool need = false;
  const auto visit = [&](auto lanes, int64_t c) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    using D = Vec<double, N>;
    const auto is_infinite = [&](const double* values) {
      const D value = LoadRaw<D>(values + c);
      return !AllTrue<N>(value - value == 0.0);
    };
    const auto is_off_scale = [&](const double* powers) {
      return !AllTrue<N>(~core::IsOffScale(LoadRaw<D>(powers + c), epsilon));
    };
    need |= (needs.sum && is_infinite(tile.sum.value)) ||
            (needs.squares && is_off_scale(tile.squares.value)) ||
            (needs.central && is_off_scale(tile.deviations.value));
  };
  ForLanes<kLanes<double>>(end, visit, begin);
  return need;
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
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_RESCALED_H_
