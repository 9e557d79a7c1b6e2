// The rare slow path of float64: sums and squares that overflow or vanish are taken again of values
// scaled by a power of two. Narrower types accumulate in double and never get here. Internal
// linkage: see core/float16.h.
#ifndef STATPOOL_CORE_RESCALED_H_
#define STATPOOL_CORE_RESCALED_H_

#include <cmath>

#include "cc/core/accumulators.h"
#include "cc/core/host_device.h"
#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Whether a sum of squares, or each of a vector of them, has overflowed, or may have lost bits to
// subnormals.
template <typename V>
STATPOOL_HOST_DEVICE static inline auto IsOffScale(const V& power, double epsilon) {
  return (power - power != 0.0) | (power + epsilon < 0x1p-900);
}

// The power of two that brings the larger of max |x| and sqrt(epsilon) near 1.
STATPOOL_HOST_DEVICE static inline double ScaleFor(double largest, double epsilon) {
  const double root = std::sqrt(epsilon);
  const double magnitude = largest < root ? root : largest;
  if (!std::isfinite(magnitude) || magnitude == 0) return 1;
  const int exponent = -std::ilogb(magnitude);
  return std::ldexp(1.0, exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent);
}

struct Rescaled {
  double mean;
  double l2;
  double rms;
  double std;
};

// The statistics that are built on sums, by scalar passes: for_each(visit) calls visit(x) for every
// step that counts, in the order of time.
template <typename ForEach>
STATPOOL_HOST_DEVICE static inline Rescaled RescaledSums(const ForEach& for_each,
                                                         const Needs& needs, double epsilon) {
  double n = 0;
  double largest = 0;
  for_each([&](double value) {
    n += 1;
    const double magnitude = std::fabs(value);
    if (!(magnitude <= largest)) largest = magnitude;
  });
  const double scale = ScaleFor(largest, epsilon);
  const auto sum = [&](const auto& term) {
    double value = 0;
    double error = 0;
    for_each([&](double v) { AddCompensated(term(v * scale), &value, &error); });
    return CompensatedValue(value, error);
  };
  const double mean = sum([](double v) { return v; }) / n;
  Rescaled result = {};
  result.mean = mean / scale;
  if (needs.squares) {
    const double squares = sum([](double v) { return v * v; });
    result.l2 = StabilisedRoot(squares, epsilon, scale);
    result.rms = StabilisedRoot(squares / n, epsilon, scale);
  }
  if (needs.central) {
    const double deviations = sum([mean](double v) { return (v - mean) * (v - mean); });
    result.std = StabilisedRoot(deviations / n, epsilon, scale);
  }
  return result;
}

// The value of a plane that is built on sums; false for the others.
STATPOOL_HOST_DEVICE static inline bool RescaledPlane(Plane plane, const Rescaled& rescaled,
                                                      double* value) {
  switch (plane) {
    case Plane::kMean:
      *value = rescaled.mean;
      return true;
    case Plane::kL2:
      *value = rescaled.l2;
      return true;
    case Plane::kRms:
      *value = rescaled.rms;
      return true;
    case Plane::kStd:
      *value = rescaled.std;
      return true;
    case Plane::kMeanResidual:  // a double needs none
      *value = 0;
      return true;
    default:
      return false;
  }
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_RESCALED_H_
