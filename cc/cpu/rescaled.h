// The rare slow path of float64: squares or sums that overflow or vanish are taken again of values
// scaled by a power of two. Narrower types accumulate in double and never get here.
#ifndef STATPOOL_CPU_RESCALED_H_
#define STATPOOL_CPU_RESCALED_H_

#include <algorithm>
#include <cmath>

#include "cc/cpu/kernels.h"
#include "cc/cpu/steps.h"

namespace statpool {
namespace cpu {
namespace {

// Below this a sum of squares may have lost bits to subnormals.
constexpr double kTinyPower = 0x1p-900;

inline bool NeedsRescaling(const core::Moments& m, const core::Needs& needs, double epsilon) {
  const auto is_off = [epsilon](double power) {
    return !std::isfinite(power) || power + epsilon < kTinyPower;
  };
  return m.count > 0 && ((needs.sum && !std::isfinite(m.sum.value)) ||
                         (needs.squares && is_off(m.squares.value)) ||
                         (needs.central && is_off(m.deviations.value)));
}

// The power of two that brings the larger of max |x| and sqrt(epsilon) near 1.
inline double ScaleFor(double largest, double epsilon) {
  const double magnitude = std::max(largest, std::sqrt(epsilon));
  if (!std::isfinite(magnitude) || magnitude == 0) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(magnitude), -1000, 1000));
}

// All moments of (b, c) over the whole of time, by a scalar pass per step of the recipe.
inline core::Moments RescaledMoments(const ForwardArguments& a, const core::Needs& needs, int64_t b,
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

  double largest = 0;
  for_each([&](double value) {
    const double magnitude = std::fabs(value);
    if (!(magnitude <= largest)) largest = magnitude;
  });
  core::Moments m = core::IdentityMoments();
  m.scale = ScaleFor(largest, a.problem.epsilon);
  for_each([&](double value) {
    const double scaled = value * m.scale;
    core::Moments step = core::IdentityMoments();
    step.count = step.max_count = step.min_count = 1;
    step.sum.value = scaled;
    step.squares.value = scaled * scaled;
    step.max = step.min = value;
    core::Merge(step, {needs.sum, needs.squares, false, needs.max, needs.min}, &m);
  });
  if (needs.central) {
    m.mean = core::Value(m.sum) / static_cast<double>(m.count);
    for_each([&](double value) {
      const double distance = value * m.scale - m.mean;
      core::Add(distance * distance, &m.deviations);
    });
  }
  return m;
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_RESCALED_H_
