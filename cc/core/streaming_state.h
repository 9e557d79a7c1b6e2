// What is known of a channel whose steps come in pieces, and how a piece joins: the algebra of
// python/statpool/_streaming_algebra.py, operation by operation, so that the bits are the same.
#ifndef STATPOOL_CORE_STREAMING_STATE_H_
#define STATPOOL_CORE_STREAMING_STATE_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "cc/core/statistics.h"

namespace statpool {
namespace core {

// What a piece is pooled for, with epsilon 0.
constexpr StatisticList kPieceStatistics =
    kListOf<Statistic::kMean, Statistic::kMax, Statistic::kMin, Statistic::kStd>;

// value + rest, of twice the precision.
struct Pair {
  double value;
  double rest;
};

// Inf and NaN have no rest.
static inline Pair NormalPair(double value, double rest) {
  if (!std::isfinite(value)) rest = 0;
  const double total = value + rest;
  return {total, std::isfinite(total) ? rest - (total - value) : 0};
}

// Knuth's TwoSum.
static inline Pair Add(const Pair& a, const Pair& b) {
  const double total = a.value + b.value;
  const double of_b = total - a.value;
  const double error = (a.value - (total - of_b)) + (b.value - of_b);
  return NormalPair(total, error + (a.rest + b.rest));
}

// Without the lower half of the mantissa.
static inline double UpperHalf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits &= ~uint64_t{0} << 27;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

// Exact, by Dekker's halves: in this order each sum is.
static inline Pair Product(double a, double b) {
  const double value = a * b;
  const double a_high = UpperHalf(a), b_high = UpperHalf(b);
  const double a_low = a - a_high, b_low = b - b_high;
  const double rest = ((a_high * b_high - value) + a_high * b_low) + a_low * b_high;
  return {value, rest + a_low * b_low};
}

static inline Pair Over(const Pair& pair, double divisor) {
  const double quotient = pair.value / divisor;
  const Pair back = Product(quotient, divisor);
  const double rest = (pair.value - back.value) - back.rest + pair.rest;
  return NormalPair(quotient, rest / divisor);
}

static inline Pair Times(const Pair& pair, double factor) {
  const Pair product = Product(pair.value, factor);
  return NormalPair(product.value, product.rest + pair.rest * factor);
}

static inline Pair SquareOver(const Pair& pair, double divisor) {
  const Pair square = Product(pair.value, pair.value);
  return Over({square.value, square.rest + 2.0 * pair.value * pair.rest}, divisor);
}

// Extremes are of the compute type; the steps are those of an example, known beside.
template <typename Compute>
struct ChannelState {
  Pair sum;
  Pair squares;
  Compute max;
  Compute min;
  int64_t max_count;
  int64_t min_count;
};

// The unit of the sums of a channel with these extremes: a power of two that keeps squares of
// float64 in range.
template <typename Compute>
double UnitOf(Compute max, Compute min) {
  if constexpr (!std::is_same_v<Compute, double>) return 1;
  const double top = std::fabs(max), bottom = std::fabs(min);
  const double largest = top > bottom || top != top ? top : bottom;
  if (largest > 0x1p450) return 0x1p600;
  return largest < 0x1p-450 ? 0x1p-600 : 1;
}

// A sum in another unit. In two steps, for the factor itself may vanish.
static inline double Rescaled(double value, double unit, double to) {
  return unit == to ? value : value / to * unit;
}

template <typename Compute>
ChannelState<Compute> InUnit(ChannelState<Compute> state, double to) {
  const double unit = UnitOf(state.max, state.min);
  if (unit == to) return state;
  for (double* number : {&state.sum.value, &state.sum.rest}) *number = Rescaled(*number, unit, to);
  for (double* number : {&state.squares.value, &state.squares.rest}) {
    *number = Rescaled(Rescaled(*number, unit, to), unit, to);
  }
  return state;
}

// What a forward pass saves of a piece for kPieceStatistics.
template <typename Compute>
struct Piece {
  Compute mean, mean_rest, max, max_count, min, min_count, std;
};

// The state of a piece of `steps` steps.
template <typename Compute>
ChannelState<Compute> StateOf(const Piece<Compute>& piece, int64_t steps) {
  constexpr Compute kInfinity = std::numeric_limits<Compute>::infinity();
  const double n = static_cast<double>(steps < 1 ? 1 : steps);
  const double unit = UnitOf(piece.max, piece.min);
  const double std = piece.std / unit;
  ChannelState<Compute> state;
  state.sum = Times({piece.mean / unit, piece.mean_rest / unit}, n);
  state.squares = Add(SquareOver(state.sum, n), {n * std * std, 0});
  // An Inf among the steps makes std NaN, and the sum of squares Inf.
  const double top = std::fabs(piece.max), bottom = std::fabs(piece.min);
  const double largest = top > bottom || top != top ? top : bottom;
  if (!std::isfinite(largest)) state.squares.value = largest;
  state.max = steps == 0 ? -kInfinity : piece.max;
  state.min = steps == 0 ? kInfinity : piece.min;
  state.max_count = static_cast<int64_t>(piece.max_count);
  state.min_count = static_cast<int64_t>(piece.min_count);
  return state;
}

template <typename Compute>
void JoinExtreme(bool beats, Compute a, int64_t a_count, Compute b, int64_t b_count,
                 Compute* extreme, int64_t* count) {
  *extreme = beats || a != a ? a : b;
  *count = (a == *extreme ? a_count : 0) + (b == *extreme ? b_count : 0);
}

// The state of the steps of both.
template <typename Compute>
ChannelState<Compute> Merged(const ChannelState<Compute>& a, const ChannelState<Compute>& b) {
  ChannelState<Compute> whole;
  JoinExtreme(a.max >= b.max, a.max, a.max_count, b.max, b.max_count, &whole.max, &whole.max_count);
  JoinExtreme(a.min <= b.min, a.min, a.min_count, b.min, b.min_count, &whole.min, &whole.min_count);
  const double unit = UnitOf(whole.max, whole.min);
  const ChannelState<Compute> first = InUnit(a, unit), second = InUnit(b, unit);
  whole.sum = Add(first.sum, second.sum);
  whole.squares = Add(first.squares, second.squares);
  return whole;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_STREAMING_STATE_H_
