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
#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Which terms of the formula the statistics asked for bring in; the others are not computed.
struct GradientTerms {
  bool constant;
  bool slope;
  bool central;
  bool max;
  bool min;
};

// Those of the default statistics, known to the compiler. Otherwise as GradientTerms.
struct DefaultGradientTerms {
  static constexpr bool constant = true;
  static constexpr bool slope = true;
  static constexpr bool central = false;
  static constexpr bool max = true;
  static constexpr bool min = false;
};

static inline bool AreDefault(const GradientTerms& terms) {
  return terms.constant && terms.slope && !terms.central && terms.max && !terms.min;
}

static inline GradientTerms GradientTermsOf(const StatisticList& statistics) {
  GradientTerms terms = {};
  for (int i = 0; i < statistics.size; ++i) {
    const Statistic s = statistics.items[i];
    terms.constant |= s == Statistic::kMean || s == Statistic::kMax || s == Statistic::kMin;
    terms.slope |= s == Statistic::kL2 || s == Statistic::kRms;
    terms.central |= s == Statistic::kStd;
    terms.max |= s == Statistic::kMax;
    terms.min |= s == Statistic::kMin;
  }
  return terms;
}

// What each statistic adds to the formula, from its upstream g and its saved planes: of one channel
// (double) or a vector of them, with a scalar n.
template <typename V, typename Scalar>
STATPOOL_HOST_DEVICE static inline V MeanConstant(const V& g, const V& mean, Scalar n) {
  return mean == mean ? V(g / n) : mean;  // a NaN mean makes the channel's gradient NaN
}

// A NaN extreme equals no step, and makes the channel's gradient NaN through the constant.
template <typename V>
STATPOOL_HOST_DEVICE static inline V ExtremeConstant(const V& extreme) {
  return extreme == extreme ? V{} : extreme;
}

template <typename V>
STATPOOL_HOST_DEVICE static inline V ExtremeShare(const V& g, const V& count) {
  return count == V{} ? V{} : V(g / count);
}

// `root` is scaled as RootScale says, and x must be too.
template <typename V>
STATPOOL_HOST_DEVICE static inline V RootSlope(const V& g, const V& root) {
  return root == V{} ? V{} : V(g / root);
}

// Whether RootScale is 1; a mask for a vector.
template <typename V>
STATPOOL_HOST_DEVICE static inline auto IsCommonRoot(const V& root) {
  return (root > 0x1p-500) & (root < 0x1p500);
}

// The power of two that keeps g / (root * scale) and x * scale from overflowing and vanishing. Only
// float64 has roots that need one other than 1: the others have double to go to.
STATPOOL_HOST_DEVICE static inline double RootScale(double root) {
  if (IsCommonRoot(root) || root == 0 || !std::isfinite(root)) return 1;
  return std::ldexp(1.0, std::clamp(-std::ilogb(root), -1000, 1000));
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_GRADIENT_H_
