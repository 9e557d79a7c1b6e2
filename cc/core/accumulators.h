// What a pass over time accumulates, how two parts join, and the roots that follow: the arithmetic
// that every device shares, one value at a time. Internal linkage throughout: see core/float16.h.
#ifndef STATPOOL_CORE_ACCUMULATORS_H_
#define STATPOOL_CORE_ACCUMULATORS_H_

#include <cmath>
#include <cstdint>

#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Which accumulators the statistics asked for need; the others are not touched.
struct Needs {
  bool sum;
  bool squares;
  bool central;  // mean and squared deviations, without cancellation
  bool max;
  bool min;
};

static inline Needs NeedsOf(const StatisticList& statistics) {
  Needs needs = {};
  for (int i = 0; i < statistics.size; ++i) {
    const Statistic s = statistics.items[i];
    needs.sum |= s == Statistic::kMean || s == Statistic::kStd;
    needs.squares |= s == Statistic::kL2 || s == Statistic::kRms;
    needs.central |= s == Statistic::kStd;
    needs.max |= s == Statistic::kMax;
    needs.min |= s == Statistic::kMin;
  }
  return needs;
}

// Values a channel that a part of the steps leaves to be joined: each sum, with its error if it is
// compensated, the running mean, and each extreme with its count.
static inline int64_t PartialRowCount(const Needs& needs, bool is_compensated) {
  const int64_t sum_rows = is_compensated ? 2 : 1;
  return sum_rows * (needs.sum + needs.squares + needs.central) + needs.central +
         2 * (needs.max + needs.min);
}

// The plane that holds a statistic unrounded.
static inline Plane PlaneOf(Statistic statistic) {
  switch (statistic) {
    case Statistic::kMean:
      return Plane::kMean;
    case Statistic::kMax:
      return Plane::kMax;
    case Statistic::kMin:
      return Plane::kMin;
    case Statistic::kL2:
      return Plane::kL2;
    case Statistic::kRms:
      return Plane::kRms;
    case Statistic::kStd:
      return Plane::kStd;
  }
  return Plane::kMean;
}

// *sum + *error += term, where *error collects what rounding takes from *sum: Knuth's TwoSum, exact
// for any magnitudes. Only float64 input needs it.
static inline void AddCompensated(double term, double* sum, double* error) {
  const double total = *sum + term;
  const double of_term = total - *sum;
  *error += (*sum - (total - of_term)) + (term - of_term);
  *sum = total;
}

// After an overflow the error is NaN, and infinity is the answer.
static inline double CompensatedValue(double sum, double error) {
  return std::isfinite(sum) ? sum + error : sum;
}

// How a part of `part` values joins a running mean of `before` values (Chan, Golub, LeVeque:
// Updating formulae, 1979): mean += weights.mean * distance between the two means, and
// squared deviations += those of the part + weights.deviations * distance^2.
struct JoinWeights {
  double mean;
  double deviations;
};

static inline JoinWeights JoinWeightsOf(int64_t part, int64_t before) {
  const double share = static_cast<double>(part) / static_cast<double>(part + before);
  return {share, static_cast<double>(before) * share};
}

// sqrt(power + epsilon), where power is that of values multiplied by `scale`.
static inline double StabilisedRoot(double power, double epsilon, double scale) {
  const double root = std::sqrt(epsilon) * scale;
  return std::sqrt(power + root * root) / scale;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_ACCUMULATORS_H_
