// The value of every saved field, the statistics among them, as a formula over what was accumulated
// for a channel. Internal linkage: see core/float16.h.
#ifndef STATPOOL_CORE_VALUES_H_
#define STATPOOL_CORE_VALUES_H_

#include <cmath>

#include "cc/core/host_device.h"
#include "cc/core/statistics.h"

namespace statpool {
namespace core {

// What makes a mean of squared deviations unbiased: N / (N - 1). A single step has none to correct.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V BesselCorrection(const V& steps) {
  return steps > 1.0 ? V(steps / (steps - 1.0)) : V(V{} + 1.0);
}

// Calls use(formula), where formula(of) is the value of the field. `of` is a channel, or a vector
// of them, and offers
//
//   Steps()                             N
//   Sum(), Squares(), Deviations()      over the valid steps; deviations are squared, too
//   Max(), MaxCount(), Min(), MinCount()
//   MeanResidual()                      exact mean - the mean as it is stored
//   PerStep(v)                          v / N
//   Root(power)                         sqrt(power + epsilon)
//   Unscaled(v)                         v / scale
//
// float64 sums that overflow or vanish are taken again over x * scale (core/rescaling.h); elsewhere
// the scale is 1. Root undoes it for a power. Any other formula calls Unscaled, once for a sum and
// twice for a power; core/statistics_checks.cc doesn't compile where a factor is left.
//
// The formula is passed on, not evaluated, so that it is chosen once for all channels of a unit.
template <typename Use>
STATPOOL_HOST_DEVICE STATPOOL_INLINE constexpr void WithFormula(SavedField field, const Use& use) {
#define STATPOOL_FORMULA(expression) \
  return use([](const auto& of) STATPOOL_ALWAYS_INLINE { return expression; })
  switch (field) {
    case SavedField::kSteps:
      STATPOOL_FORMULA(of.Steps());
    case SavedField::kMean:
      STATPOOL_FORMULA(of.Unscaled(of.PerStep(of.Sum())));
    case SavedField::kMeanResidual:
      STATPOOL_FORMULA(of.MeanResidual());
    case SavedField::kMax:
      STATPOOL_FORMULA(of.Max());
    case SavedField::kMaxCount:
      STATPOOL_FORMULA(of.MaxCount());
    case SavedField::kMin:
      STATPOOL_FORMULA(of.Min());
    case SavedField::kMinCount:
      STATPOOL_FORMULA(of.MinCount());
    case SavedField::kL2:
      STATPOOL_FORMULA(of.Root(of.Squares()));
    case SavedField::kRms:
      STATPOOL_FORMULA(of.Root(of.PerStep(of.Squares())));
    case SavedField::kStd:
      STATPOOL_FORMULA(of.Root(of.PerStep(of.Deviations())));
    case SavedField::kSampleStd:
      STATPOOL_FORMULA(of.Root(of.PerStep(of.Deviations()) * BesselCorrection(of.Steps())));
  }
#undef STATPOOL_FORMULA
}

// A channel without a valid step.
struct EmptyChannel {
  double epsilon;

  STATPOOL_HOST_DEVICE double Steps() const { return 0; }
  STATPOOL_HOST_DEVICE double Sum() const { return 0; }
  STATPOOL_HOST_DEVICE double Squares() const { return 0; }
  STATPOOL_HOST_DEVICE double Deviations() const { return 0; }
  STATPOOL_HOST_DEVICE double Max() const { return 0; }
  STATPOOL_HOST_DEVICE double MaxCount() const { return 0; }
  STATPOOL_HOST_DEVICE double Min() const { return 0; }
  STATPOOL_HOST_DEVICE double MinCount() const { return 0; }
  STATPOOL_HOST_DEVICE double MeanResidual() const { return 0; }
  STATPOOL_HOST_DEVICE double PerStep(double) const { return 0; }
  STATPOOL_HOST_DEVICE double Root(double power) const { return std::sqrt(power + epsilon); }
  STATPOOL_HOST_DEVICE double Unscaled(double value) const { return value; }
};

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_VALUES_H_
