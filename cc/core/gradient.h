// The gradient formula. For a valid step of (b, c),
//
//   dx = constant + slope * x + central_slope * (x - mean)
//        + (x == max ? max_share : 0) + (x == min ? min_share : 0)
//
// and 0 for every other step. The mean is subtracted before anything is multiplied, so that equal
// steps give exactly 0. Internal linkage: see core/float16.h.
#ifndef STATPOOL_CORE_GRADIENT_H_
#define STATPOOL_CORE_GRADIENT_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cc/core/host_device.h"
#include "cc/core/statistics.h"

namespace statpool {
namespace core {

// `term`, or NaN if the statistic is NaN. An extreme that is NaN equals no step, so only the
// constant brings NaN to every step of the channel.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE constexpr V UnlessNan(const V& statistic, const V& term) {
  return statistic == statistic ? term : statistic;
}

// The share of each of the steps that equal an extreme.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V ExtremeShare(const V& g, const V& count) {
  return count == V{} ? V{} : V(g / count);
}

// g / root, and 0 where root is 0. float64 callers pass root * RootScale(root) and multiply x by
// the same factor.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V RootSlope(const V& g, const V& root) {
  return root == V{} ? V{} : V(g / root);
}

// Whether RootScale is 1; a mask for a vector.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE auto IsCommonRoot(const V& root) {
  return (root > 0x1p-500) & (root < 0x1p500);
}

// The power of two that keeps g / (root * scale) and x * scale from overflowing and vanishing. It
// is 1 except for float64: the other types compute slopes in double.
STATPOOL_HOST_DEVICE static inline double RootScale(double root) {
  if (IsCommonRoot(root) || root == 0 || !std::isfinite(root)) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(root), -1000, 1000));
}

// N - 1, the divisor of an unbiased variance; 1 for a single step, whose deviation is 0.
template <typename Number>
STATPOOL_HOST_DEVICE STATPOOL_INLINE constexpr Number DegreesOfFreedom(const Number& steps) {
  return steps > 1 ? Number(steps - 1) : steps;
}

// Adds what a statistic contributes to the formula, for one channel or a vector of them, from its
// upstream gradient g and the saved fields. `saved` offers Steps(), a number, and At(field), a V;
// `to` adds up the terms of all selected statistics:
//
//   AddConstant(g, term)                a term that is 0 if g is
//   AddSlope(g, n, root)                g / (n * root)
//   AddCentral(g, n, root, mean, rest)  the same for x - (mean + rest)
//   AddMaximum(g, value, count)         g / count for each step that equals the maximum
//   AddMinimum(g, value, count)
//
// In float64 the first root of a term sets the scale of that term (RootScale): further ones must be
// within a factor of 2^400, as rms is of l2.
template <typename V, typename Saved, typename Terms>
STATPOOL_HOST_DEVICE STATPOOL_INLINE constexpr void AddGradient(Statistic statistic, const V& g,
                                                                const Saved& saved, Terms* to) {
  switch (statistic) {
    case Statistic::kMean:
      return to->AddConstant(g, UnlessNan(saved.At(SavedField::kMean), V(g / saved.Steps())));
    case Statistic::kMax:
      return to->AddMaximum(g, saved.At(SavedField::kMax), saved.At(SavedField::kMaxCount));
    case Statistic::kMin:
      return to->AddMinimum(g, saved.At(SavedField::kMin), saved.At(SavedField::kMinCount));
    case Statistic::kL2:
      return to->AddSlope(g, 1, saved.At(SavedField::kL2));
    case Statistic::kRms:
      return to->AddSlope(g, saved.Steps(), saved.At(SavedField::kRms));
    case Statistic::kStd:
      return to->AddCentral(g, saved.Steps(), saved.At(SavedField::kStd),
                            saved.At(SavedField::kMean), saved.At(SavedField::kMeanResidual));
    case Statistic::kSampleStd:
      return to->AddCentral(g, DegreesOfFreedom(saved.Steps()), saved.At(SavedField::kSampleStd),
                            saved.At(SavedField::kMean), saved.At(SavedField::kMeanResidual));
  }
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_GRADIENT_H_
