// The rare slow path of float64: sums and squares that overflow or vanish are taken again of values
// scaled by a power of two. Narrower types accumulate in double and never get here.
#ifndef STATPOOL_CPU_RESCALED_H_
#define STATPOOL_CPU_RESCALED_H_

#include <algorithm>
#include <cmath>

#include "cc/cpu/kernels.h"
#include "cc/cpu/steps.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

// Below this a sum of squares may have lost bits to subnormals.
constexpr double kTinyPower = 0x1p-900;

template <typename TileOf>
bool NeedsRescaling(const TileOf& tile, const core::Needs& needs, double epsilon, int64_t c) {
  const auto is_off = [epsilon](double power) {
    return !std::isfinite(power) || power + epsilon < kTinyPower;
  };
  return (needs.sum && !std::isfinite(tile.sum.value[c])) ||
         (needs.squares && is_off(tile.squares.value[c])) ||
         (needs.central && is_off(tile.deviations.value[c]));
}

// The power of two that brings the larger of max |x| and sqrt(epsilon) near 1.
inline double ScaleFor(double largest, double epsilon) {
  const double magnitude = std::max(largest, std::sqrt(epsilon));
  if (!std::isfinite(magnitude) || magnitude == 0) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(magnitude), -1000, 1000));
}

struct Rescaled {
  double mean;
  double l2;
  double rms;
  double std;
};

// The statistics of (b, c) that are built on sums, by scalar passes over the whole of time.
inline Rescaled RescaledSums(const ForwardArguments& a, const core::Needs& needs, int64_t b,
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

  double n = 0;
  double largest = 0;
  for_each([&](double value) {
    n += 1;
    const double magnitude = std::fabs(value);
    if (!(magnitude <= largest)) largest = magnitude;
  });
  const double scale = ScaleFor(largest, a.problem.epsilon);
  const auto sum = [&](const auto& term) {
    double value = 0;
    double error = 0;
    for_each([&](double v) { core::AddCompensated(term(v * scale), &value, &error); });
    return core::CompensatedValue(value, error);
  };
  const auto root = [&](double power) {
    return core::StabilisedRoot(power, a.problem.epsilon, scale);
  };

  const double mean = sum([](double v) { return v; }) / n;
  Rescaled result = {};
  result.mean = mean / scale;
  if (needs.squares) {
    const double squares = sum([](double v) { return v * v; });
    result.l2 = root(squares);
    result.rms = root(squares / n);
  }
  if (needs.central) {
    result.std = root(sum([mean](double v) { return (v - mean) * (v - mean); }) / n);
  }
  return result;
}

// The value of a plane that is built on sums; false for the others.
inline bool RescaledPlane(core::Plane plane, const Rescaled& rescaled, double* value) {
  switch (plane) {
    case core::Plane::kMean:
      *value = rescaled.mean;
      return true;
    case core::Plane::kL2:
      *value = rescaled.l2;
      return true;
    case core::Plane::kRms:
      *value = rescaled.rms;
      return true;
    case core::Plane::kStd:
      *value = rescaled.std;
      return true;
    case core::Plane::kMeanResidual:  // a double needs none
      *value = 0;
      return true;
    default:
      return false;
  }
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_RESCALED_H_
