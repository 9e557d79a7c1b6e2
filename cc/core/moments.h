// What a pass over time accumulates for one (b, c), how two parts join, and the statistics that
// follow. Internal linkage throughout: see core/float16.h.
#ifndef STATPOOL_CORE_MOMENTS_H_
#define STATPOOL_CORE_MOMENTS_H_

#include <cmath>
#include <cstdint>
#include <limits>

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

// An unevaluated sum of two doubles. Only float64 input makes use of the error term.
struct CompensatedSum {
  double value;
  double error;
};

static inline void Add(double term, CompensatedSum* sum) {
  const double total = sum->value + term;
  const double of_term = total - sum->value;  // Knuth's TwoSum: exact for any magnitudes
  sum->error += (sum->value - (total - of_term)) + (term - of_term);
  sum->value = total;
}

// After an overflow the error term is NaN, and infinity is the answer.
static inline double Value(const CompensatedSum& sum) {
  return std::isfinite(sum.value) ? sum.value + sum.error : sum.value;
}

struct Moments {
  int64_t count;
  CompensatedSum sum;
  CompensatedSum squares;
  double mean;                // running mean
  CompensatedSum deviations;  // sum (x - mean)^2
  double max;
  double min;
  int64_t max_count;
  int64_t min_count;
  double scale;  // a power of two that every value was multiplied by; 1 but for rescaled float64
};

static inline Moments IdentityMoments() {
  Moments identity = {};
  identity.max = -std::numeric_limits<double>::infinity();
  identity.min = std::numeric_limits<double>::infinity();
  identity.scale = 1;
  return identity;
}

// The extreme of two parts and how many values equal it. NaN wins, and equals nothing.
template <typename Beats>
static inline void MergeExtreme(double value, int64_t count, double* extreme,
                                int64_t* extreme_count, Beats beats) {
  if (value != value || beats(value, *extreme)) {
    *extreme = value;
    *extreme_count = count;
  } else if (value == *extreme) {
    *extreme_count += count;
  }
}

// Joins the moments of two disjoint sets of steps. The order of joining is part of the result.
static inline void Merge(const Moments& part, const Needs& needs, Moments* into) {
  if (part.count == 0) return;
  if (needs.sum) {
    Add(part.sum.value, &into->sum);
    into->sum.error += part.sum.error;
  }
  if (needs.squares) {
    Add(part.squares.value, &into->squares);
    into->squares.error += part.squares.error;
  }
  if (needs.central) {  // Chan, Golub, LeVeque: Updating formulae, 1979
    const double total = static_cast<double>(into->count + part.count);
    const double share = static_cast<double>(part.count) / total;
    const double distance = part.mean - into->mean;
    into->mean += distance * share;
    Add(part.deviations.value, &into->deviations);
    into->deviations.error += part.deviations.error;
    Add(distance * distance * (static_cast<double>(into->count) * share), &into->deviations);
  }
  if (needs.max) {
    MergeExtreme(part.max, part.max_count, &into->max, &into->max_count,
                 [](double a, double b) { return a > b; });
  }
  if (needs.min) {
    MergeExtreme(part.min, part.min_count, &into->min, &into->min_count,
                 [](double a, double b) { return a < b; });
  }
  into->count += part.count;
}

// The statistics of one (b, c). Those not asked for are left 0.
struct Summary {
  double mean;
  double max;
  double min;
  double l2;
  double rms;
  double std;
};

// sqrt(power + epsilon), where power was taken of values multiplied by `scale`.
static inline double StabilisedRoot(double power, double epsilon, double scale) {
  if (scale == 1) return std::sqrt(power + epsilon);
  const double root = std::sqrt(epsilon) * scale;
  return std::sqrt(power + root * root) / scale;
}

static inline Summary Summarise(const Moments& m, const Needs& needs, double epsilon) {
  Summary s = {};
  if (m.count == 0) {
    s.l2 = s.rms = s.std = std::sqrt(epsilon);
    return s;
  }
  const double n = static_cast<double>(m.count);
  if (needs.sum) s.mean = Value(m.sum) / n / m.scale;
  if (needs.squares) {
    s.l2 = StabilisedRoot(Value(m.squares), epsilon, m.scale);
    s.rms = StabilisedRoot(Value(m.squares) / n, epsilon, m.scale);
  }
  if (needs.central) s.std = StabilisedRoot(Value(m.deviations) / n, epsilon, m.scale);
  s.max = m.max;
  s.min = m.min;
  return s;
}

static inline double StatisticValue(Statistic statistic, const Summary& s) {
  switch (statistic) {
    case Statistic::kMean:
      return s.mean;
    case Statistic::kMax:
      return s.max;
    case Statistic::kMin:
      return s.min;
    case Statistic::kL2:
      return s.l2;
    case Statistic::kRms:
      return s.rms;
    case Statistic::kStd:
      return s.std;
  }
  return 0;
}

// The value that a saved plane of type `Saved` holds.
template <typename Saved>
static inline Saved PlaneValue(Plane plane, const Summary& s, const Moments& m) {
  switch (plane) {
    case Plane::kMean:
      return static_cast<Saved>(s.mean);
    case Plane::kMeanResidual:
      return static_cast<Saved>(s.mean - static_cast<double>(static_cast<Saved>(s.mean)));
    case Plane::kMax:
      return static_cast<Saved>(s.max);
    case Plane::kMaxCount:
      return static_cast<Saved>(m.max_count);
    case Plane::kMin:
      return static_cast<Saved>(s.min);
    case Plane::kMinCount:
      return static_cast<Saved>(m.min_count);
    case Plane::kL2:
      return static_cast<Saved>(s.l2);
    case Plane::kRms:
      return static_cast<Saved>(s.rms);
    case Plane::kStd:
      return static_cast<Saved>(s.std);
  }
  return 0;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_MOMENTS_H_
