// How sums over time are taken and how two parts of them join: the arithmetic that every device
// shares, of a number or of a vector of them. Internal linkage throughout: see core/float16.h.
#ifndef STATPOOL_CORE_ACCUMULATORS_H_
#define STATPOOL_CORE_ACCUMULATORS_H_

#include <cstdint>

#include "cc/core/host_device.h"

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

// Whether a sum of up to eight squares that was taken in float lies within the contract's bounds:
// below, terms may have vanished, and above, a sum of the values themselves may overflow. Nor is a
// sum of zeros in range.
constexpr float kFloatRangeLow = 0x1p-110f;
constexpr float kFloatRangeHigh = 0x1p127f;
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE auto IsInFloatRange(const V& power) {
  return (power >= kFloatRangeLow) & (power < kFloatRangeHigh);
}

// *sum + *error += term, where *error collects what rounding takes from *sum: Knuth's TwoSum, exact
// for any magnitudes. Only float64 input needs it.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE void AddCompensated(const V& term, V* sum, V* error) {
  const V total = *sum + term;
  const V of_term = total - *sum;
  *error += (*sum - (total - of_term)) + (term - of_term);
  *sum = total;
}

// After an overflow the error is NaN, and infinity is the answer.
template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V CompensatedValue(const V& sum, const V& error) {
  return sum - sum == 0.0 ? V(sum + error) : sum;
}

// What the squared distance between the means of `part` and of `before` values adds to the squared
// deviations of all of them, as a factor (Chan, Golub, LeVeque: Updating formulae, 1979).
STATPOOL_HOST_DEVICE static inline double DistanceWeight(int64_t part, int64_t before) {
  const double p = static_cast<double>(part);
  const double b = static_cast<double>(before);
  return b * (p / (p + b));
}

// Bytes of what is accumulated of a channel, where a sum takes `sum` bytes, what goes with
// deviations so that their mean isn't rounded `unrounded`, and an extreme with its count `extreme`.
template <typename Sums>
constexpr int64_t NeededBytes(const Sums& needed, int64_t sum, int64_t unrounded, int64_t extreme) {
  return sum * (needed.sum + needed.squares + needed.central) + unrounded * needed.central +
         extreme * (needed.max + needed.min);
}

// Whether a mask keeps a step. Python can make bools of bytes other than 0 and 1, with which
// compilers don't reckon: they would count 2 as two steps.
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
