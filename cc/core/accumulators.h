// What a pass over time accumulates, how two parts join, and the roots that follow: the arithmetic
// that every device shares, one value at a time. Internal linkage throughout: see core/float16.h.
#ifndef STATPOOL_CORE_ACCUMULATORS_H_
#define STATPOOL_CORE_ACCUMULATORS_H_

#include <cmath>
#include <cstdint>

#include "cc/core/host_device.h"
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

// Those of the default statistics, known to the compiler. Otherwise as Needs.
struct DefaultNeeds {
  static constexpr bool sum = true;
  static constexpr bool squares = true;
  static constexpr bool central = false;
  static constexpr bool max = true;
  static constexpr bool min = false;
};

static inline bool AreDefault(const Needs& needs) {
  return needs.sum && needs.squares && !needs.central && needs.max && !needs.min;
}

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
STATPOOL_HOST_DEVICE static inline void AddCompensated(double term, double* sum, double* error) {
  const double total = *sum + term;
  const double of_term = total - *sum;
  *error += (*sum - (total - of_term)) + (term - of_term);
  *sum = total;
}

// After an overflow the error is NaN, and infinity is the answer. Of a double or a vector of them.
template <typename V>
STATPOOL_HOST_DEVICE static inline V CompensatedValue(const V& sum, const V& error) {
  return sum - sum == 0.0 ? V(sum + error) : sum;
}

// What the squared distance between the means of `part` and of `before` values adds to the squared
// deviations of all of them, as a factor (Chan, Golub, LeVeque: Updating formulae, 1979).
STATPOOL_HOST_DEVICE static inline double DistanceWeight(int64_t part, int64_t before) {
  const double p = static_cast<double>(part);
  const double b = static_cast<double>(before);
  return b * (p / (p + b));
}

// sqrt(power + epsilon), where power is that of values multiplied by `scale`.
STATPOOL_HOST_DEVICE static inline double StabilisedRoot(double power, double epsilon,
                                                         double scale) {
  const double root = std::sqrt(epsilon) * scale;
  return std::sqrt(power + root * root) / scale;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_ACCUMULATORS_H_
