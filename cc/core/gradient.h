// The gradient formula. For a valid step of (b, c),
//
//   dx = constant + slope * x + central_slope * (x - mean)
//        + (x == max ? max_share : 0) + (x == min ? min_share : 0)
//
// and 0 for every other step. Internal linkage: see core/float16.h.
#ifndef STATPOOL_CORE_GRADIENT_H_
#define STATPOOL_CORE_GRADIENT_H_

#include <cstdint>

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

static inline GradientTerms GradientTermsOf(const StatisticList& statistics) {
  GradientTerms terms = {};
  for (int i = 0; i < statistics.size; ++i) {
    const Statistic s = statistics.items[i];
    terms.constant |= s == Statistic::kMean;
    terms.slope |= s == Statistic::kL2 || s == Statistic::kRms;
    terms.central |= s == Statistic::kStd;
    terms.max |= s == Statistic::kMax;
    terms.min |= s == Statistic::kMin;
  }
  return terms;
}

// Coefficients in double: a norm of 1e-30 under an upstream of 1 stays finite. The mean is
// subtracted before anything is multiplied, so that equal steps give exactly 0.
struct GradientCoefficients {
  double constant;
  double slope;
  double central_slope;
  double mean;
  double max;
  double max_share;
  double min;
  double min_share;
};

static inline double OverOrZero(double numerator, double denominator) {
  return denominator == 0 ? 0 : numerator / denominator;
}

// `upstream(i)` is the gradient of statistic i, `saved(i)` plane i of the forward pass, `count` the
// number of valid steps, at least 1.
template <typename Upstream, typename Saved>
static inline GradientCoefficients CoefficientsOf(const StatisticList& statistics,
                                                  const PlaneList& planes, int64_t count,
                                                  const Upstream& upstream, const Saved& saved) {
  double plane[kPlaneCount] = {};
  for (int i = 0; i < planes.size; ++i) plane[static_cast<int>(planes.items[i])] = saved(i);
  const auto value = [&plane](Plane p) { return plane[static_cast<int>(p)]; };
  const double n = static_cast<double>(count);
  GradientCoefficients k = {};
  for (int i = 0; i < statistics.size; ++i) {
    const double g = upstream(i);
    switch (statistics.items[i]) {
      case Statistic::kMean: {
        const double mean = value(Plane::kMean);
        k.constant += mean == mean ? g / n : mean;
        break;
      }
      case Statistic::kMax:
        k.max = value(Plane::kMax);
        k.max_share = OverOrZero(g, value(Plane::kMaxCount));
        break;
      case Statistic::kMin:
        k.min = value(Plane::kMin);
        k.min_share = OverOrZero(g, value(Plane::kMinCount));
        break;
      case Statistic::kL2:
        k.slope += OverOrZero(g, value(Plane::kL2));
        break;
      case Statistic::kRms:
        k.slope += OverOrZero(g, n * value(Plane::kRms));
        break;
      case Statistic::kStd:
        k.central_slope = OverOrZero(g, n * value(Plane::kStd));
        k.mean = value(Plane::kMean) + value(Plane::kMeanResidual);
        break;
    }
  }
  return k;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_GRADIENT_H_
