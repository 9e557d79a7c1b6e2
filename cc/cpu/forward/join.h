// Joins the accumulators of lanes or splits that hold the same channels, in a fixed order.
#ifndef STATPOOL_CPU_FORWARD_JOIN_H_
#define STATPOOL_CPU_FORWARD_JOIN_H_

#include "cc/cpu/forward/accumulator_rows.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

template <typename SumTo, typename SumPart>
STATPOOL_INLINE void JoinSums(SumTo* to, int64_t at, const SumPart& part, int64_t from,
                              int64_t width) {
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    using D = Vec<double, N>;
    to->template Add<N>(LoadRaw<D>(part.value + from + i), at + i);
    if constexpr (SumTo::kCompensated) {
      const D error = LoadRaw<D>(to->error + at + i) + LoadRaw<D>(part.error + from + i);
      StoreRaw(error, to->error + at + i);
    }
  });
}

// NaN wins and equals nothing.
template <typename Compute, typename Count, typename PartCount, typename Beats>
STATPOOL_INLINE void JoinExtremes(Compute* to, Count* to_count, const Compute* part,
                                  const PartCount* part_count, int64_t width, const Beats& beats) {
  ForLanes<kLanes<Compute>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    using V = Vec<Compute, N>;
    using K = Vec<Count, N>;
    const V v = LoadRaw<V>(part + i);
    const V old = LoadRaw<V>(to + i);
    const K count = Convert<Count, N>(LoadRaw<Vec<PartCount, N>>(part_count + i));
    const K old_count = LoadRaw<K>(to_count + i);
    const auto wins = (v != v) | beats(v, old);
    const K wins_count = Convert<Count, N>(wins);
    const K ties_count = Convert<Count, N>(v == old);
    StoreRaw(V(wins ? v : old), to + i);
    StoreRaw(K((wins_count & count) | (~wins_count & (old_count + (ties_count & count)))),
             to_count + i);
  });
}

// Lanes [from, from + width) of a part join lanes [at, at + width): all but the deviations.
template <typename To, typename Part>
STATPOOL_INLINE void JoinLanes(const core::NeededSums& needed, To* to, int64_t at, const Part& part,
                               int64_t from, int64_t width) {
  if (needed.sum) JoinSums(&to->sum, at, part.sum, from, width);
  if (needed.squares) JoinSums(&to->squares, at, part.squares, from, width);
  if (needed.max) {
    JoinExtremes(to->max + at, to->max_count + at, part.max + from, part.max_count + from, width,
                 [](const auto& a, const auto& b) { return a > b; });
  }
  if (needed.min) {
    JoinExtremes(to->min + at, to->min_count + at, part.min + from, part.min_count + from, width,
                 [](const auto& a, const auto& b) { return a < b; });
  }
}

// The same for the deviations, of `part_steps` steps in the part and `steps` in the other, before
// the sums join.
template <typename To, typename Part>
STATPOOL_INLINE void JoinCentral(To* to, int64_t at, int64_t steps, const Part& part, int64_t from,
                                 int64_t part_steps, int64_t width) {
  if (part_steps == 0) return;
  const double per_step = steps == 0 ? 0 : 1.0 / static_cast<double>(steps);
  const double part_per_step = 1.0 / static_cast<double>(part_steps);
  const double weight = core::DistanceWeight(part_steps, steps);
  JoinSums(&to->deviations, at, part.deviations, from, width);
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    using D = Vec<double, N>;
    const D distance =
        part.template Total<N>(from + i) * part_per_step - to->template Total<N>(at + i) * per_step;
    to->deviations.template Add<N>(distance * distance * weight, at + i);
    const D unrounded = LoadRaw<D>(to->unrounded + at + i) + LoadRaw<D>(part.unrounded + from + i);
    StoreRaw(unrounded, to->unrounded + at + i);
  });
}

// The upper half of the groups of lanes, `width` channels each, joins the lower half. `steps` has
// the steps of each group.
template <typename Accumulators>
STATPOOL_INLINE void JoinHalf(const core::NeededSums& needed, Accumulators* accumulators,
                              int64_t width, int64_t half, int64_t* steps) {
  for (int64_t k = 0; k < half; ++k) {
    if (needed.central) {
      JoinCentral(accumulators, k * width, steps[k], *accumulators, (k + half) * width,
                  steps[k + half], width);
    }
    steps[k] += steps[k + half];
  }
  JoinLanes(needed, accumulators, 0, *accumulators, half * width, half * width);
}

// Joins the `fold` lanes of each channel, which are `width` apart, into the first one.
template <typename Accumulators>
void JoinFold(const core::NeededSums& needed, Accumulators* accumulators, int64_t width,
              int64_t fold, int64_t* steps) {
  for (int64_t half = fold / 2; half > 0; half /= 2)
    JoinHalf(needed, accumulators, width, half, steps);
}

// The same for one channel, with loops that the compiler unrolls.
template <int kFold, typename Accumulators>
void JoinChannel(const core::NeededSums& needed, Accumulators* accumulators, int64_t* steps) {
  JoinHalf(needed, accumulators, 1, kFold / 2, steps);
  if constexpr (kFold > 2) JoinChannel<kFold / 2>(needed, accumulators, steps);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_JOIN_H_
