// How sums over time are taken and how two parts of them join: the arithmetic that every device
// shares, for a number or a vector. Internal linkage throughout: see core/float16.h.
#ifndef STATPOOL_CORE_ACCUMULATORS_H_
#define STATPOOL_CORE_ACCUMULATORS_H_

#include <cstdint>

#include "cc/core/host_device.h"
#include "cc/core/statistics.h"

namespace statpool {
namespace core {

// term(first) + ... + term(first + kTerms - 1), by pairs: an error of log2(kTerms) roundings.
template <int kTerms, typename V, typename Term>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V PairwiseSum(const Term& term, int first = 0) {
  if constexpr (kTerms == 1) {
    return term(first);
  } else {
    return PairwiseSum<kTerms / 2, V>(term, first) +
           PairwiseSum<kTerms / 2, V>(term, first + kTerms / 2);
  }
}

// Whether a sum of up to eight squares that was taken in float is within the contract's bounds.
// Below the range, terms may have vanished; above it, the sum of the values may overflow. A sum of
// zeros is not in range.
constexpr float kFloatRangeLow = 0x1p-110f;
constexpr float kFloatRangeHigh = 0x1p127f;
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE auto IsInFloatRange(const V& power) {
  return (power >= kFloatRangeLow) & (power < kFloatRangeHigh);
}

// *sum + *error += term, where *error collects the rounding errors of *sum: Knuth's TwoSum, exact
// for any magnitudes. Only float64 input needs it.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE void AddCompensated(const V& term, V* sum, V* error) {
  const V total = *sum + term;
  const V of_term = total - *sum;
  *error += (*sum - (total - of_term)) + (term - of_term);
  *sum = total;
}

// sum + error; infinity after an overflow, where the error is NaN.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V CompensatedValue(const V& sum, const V& error) {
  return sum - sum == 0.0 ? V(sum + error) : sum;
}

// Two sets of values join: their squared deviations add up, plus this weight times the squared
// distance of their means (Chan, Golub, LeVeque: Updating formulae, 1979).
STATPOOL_HOST_DEVICE static inline double DistanceWeight(int64_t part, int64_t before) {
  const double p = static_cast<double>(part);
  const double b = static_cast<double>(before);
  return b * (p / (p + b));
}

// Bytes of a channel's accumulators: `sum` for each sum, `unrounded` for what keeps the mean of the
// deviations unrounded, `extreme` for an extreme with its count.
template <typename Sums>
constexpr int64_t NeededBytes(const Sums& needed, int64_t sum, int64_t unrounded, int64_t extreme) {
  static_assert(kSumCount == 5, "every sum takes room");
  return sum * (needed.sum + needed.squares + needed.central) + unrounded * needed.central +
         extreme * (needed.max + needed.min);
}

// Whether a mask keeps a step. Reads bytes, because Python can make bools other than 0 and 1, and
// compilers would count a 2 as two steps.
STATPOOL_HOST_DEVICE STATPOOL_INLINE bool Keeps(const bool* mask, int64_t step) {
  return reinterpret_cast<const unsigned char*>(mask)[step] != 0;
}

// The first step of an example that `lengths` excludes; lengths outside [0, T] act as if clipped.
// The mask excludes further steps below it.
STATPOOL_HOST_DEVICE STATPOOL_INLINE int64_t EndOfExample(const int64_t* lengths, int64_t b,
                                                          int64_t time) {
  if (lengths == nullptr) return time;
  const int64_t length = lengths[b];
  return length < 0 ? 0 : length < time ? length : time;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_ACCUMULATORS_H_
