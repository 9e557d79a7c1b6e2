// Forward pass: statistics over time of [B, T, C] or [B, C, T], one read of the valid steps.
//
// A unit owns a tile of channels of one example over one split of time. The rows that it reads are
// steps (channels_last, and channels_first if transposed) or `fold` consecutive steps of one
// channel (channels_first).
#ifndef STATPOOL_CPU_FORWARD_GLOBAL_STATS_KERNELS_H_
#define STATPOOL_CPU_FORWARD_GLOBAL_STATS_KERNELS_H_

#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/forward/join.h"
#include "cc/cpu/forward/partials.h"
#include "cc/cpu/forward/results.h"
#include "cc/cpu/forward/step_accumulator.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/pack.h"
#include "cc/cpu/simd/transpose.h"
#include "cc/cpu/unit.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Writes the results of a unit whose lanes are channels.
template <typename T, typename Accumulators>
void Store(const ForwardArguments& a, const core::NeededSums& needed, const Unit& unit,
           int64_t steps, const Accumulators& accumulators) {
  if (a.plan.splits == 1) {
    StoreResults<T>(a, needed, accumulators, steps, {unit.b, unit.first_channel, unit.channels});
  } else {
    StorePartial(a, needed, accumulators, unit.b, unit.split, unit.first_channel, unit.channels);
  }
}

// Steps of this unit that are within the example's length.
inline int64_t StepsOf(const ForwardArguments& a, const Unit& unit) {
  const int64_t end =
      std::min(unit.end_step, core::EndOfExample(a.lengths, unit.b, a.problem.shape.time));
  return std::max<int64_t>(end - unit.first_step, 0);
}

// Accumulators are large, and threads may have little stack: each way through a unit has a frame of
// its own, so that no frame holds the accumulators of two. -Wframe-larger-than guards the size, see
// CMakeLists.txt.
#define STATPOOL_OWN_FRAME __attribute__((noinline))

template <typename T>
STATPOOL_OWN_FRAME void ForwardChannelsLast(const ForwardArguments& a,
                                            const core::NeededSums& needed, const Unit& unit) {
  const core::Shape& shape = a.problem.shape;
  const int64_t first = unit.b * shape.time + unit.first_step;
  const int64_t steps = StepsOf(a, unit);
  const int64_t fold = a.mask == nullptr ? a.plan.fold : 1;
  AccumulatorRows<core::ComputeType<T>, kMostLanes> accumulators;
  StepAccumulator<T, decltype(accumulators)> accumulator(needed, a.activation, unit.channels, fold,
                                                         &accumulators);
  if (steps > 0) {
    const T* x = static_cast<const T*>(a.x) + first * shape.channels + unit.first_channel;
    if (a.mask == nullptr) {
      accumulator.AddSteps(x, steps, shape.channels);
    } else {
      accumulator.AddMasked(x, a.mask + first, steps, shape.channels);
    }
  }
  Store<T>(a, needed, unit, accumulator.Finish(), accumulators);
}

// Accumulators of the other two ways. Only float64 gets shorter rows, because with kMostLanes the
// frame would be too large. The other types share the long ones, so that the loops are compiled
// once.
template <typename T>
using ShortRows =
    AccumulatorRows<core::ComputeType<T>, sizeof(T) == 8 ? kSeriesChannels : kMostLanes>;
static_assert(kTransposedChannels <= kSeriesChannels && kMaxFold <= kSeriesChannels,
              "short rows hold the channels of a group, or the lanes of a channel");

// Copies the steps that the mask keeps into a buffer without gaps, so that they fill the lanes.
template <typename T, typename Accumulator>
void AddCompacted(const T* x, const bool* mask, int64_t steps, Accumulator* accumulator) {
  constexpr int64_t kBuffer = 1024;
  static_assert(kBuffer % (kMaxFold * kChunkRows) == 0, "only the last buffer ends within a chunk");
  T compacted[kBuffer];
  int64_t count = 0;
  for (int64_t t = 0; t < steps; ++t) {
    compacted[count] = x[t];
    count += core::Keeps(mask, t);  // a branch would be predicted badly
    if (count < kBuffer) continue;
    ActivateCached(accumulator->activation, count, compacted);
    accumulator->AddSteps(compacted, count, 1, /*are_cached=*/true);
    count = 0;
  }
  ActivateCached(accumulator->activation, count, compacted);
  accumulator->AddSteps(compacted, count, 1, /*are_cached=*/true);
}

// One channel after the other. Its result is in lane 0, and goes to the channel's lane of
// `channels`.
template <typename T>
STATPOOL_OWN_FRAME void ForwardChannelsFirst(const ForwardArguments& a,
                                             const core::NeededSums& needed, const Unit& unit) {
  const core::Shape& shape = a.problem.shape;
  AccumulatorRows<core::ComputeType<T>, kSeriesChannels> channels;
  ShortRows<T> accumulators;
  int64_t steps = 0;
  for (int64_t c = 0; c < unit.channels; ++c) {
    const int64_t row = unit.b * shape.channels + unit.first_channel + c;
    const T* x = static_cast<const T*>(a.x) + row * shape.time + unit.first_step;
    StepAccumulator<T, ShortRows<T>> accumulator(needed, a.activation, 1, a.plan.fold,
                                                 &accumulators);
    if (a.mask == nullptr) {
      accumulator.AddSteps(x, StepsOf(a, unit), 1);
    } else {
      const bool* mask = a.mask + unit.b * shape.time + unit.first_step;
      AddCompacted(x, mask, StepsOf(a, unit), &accumulator);
    }
    steps = accumulator.Finish();
    ForEachRow(
        needed, [c](auto* to, const auto* from) { to[c] = from[0]; }, &channels, &accumulators);
  }
  Store<T>(a, needed, unit, steps, channels);
}

// Short channels, transposed some steps at a time, so that a lane is a channel and there is nothing
// to join. `first` counts through all B * C channels; each has `steps` steps.
template <typename T>
STATPOOL_OWN_FRAME void ForwardTransposed(const ForwardArguments& a, const core::NeededSums& needed,
                                          int64_t first, int64_t width, int64_t steps,
                                          const bool* mask) {
  const core::Shape& shape = a.problem.shape;
  const T* x = static_cast<const T*>(a.x) + first * shape.time;
  ShortRows<T> accumulators;
  StepAccumulator<T, ShortRows<T>> accumulator(needed, a.activation, width, 1, &accumulators);
  TransposedRows<T> rows;
  const int64_t stride = RowStride<T>(width);
  for (int64_t t = 0; t < steps; t += rows.kSteps) {
    const int64_t count = std::min<int64_t>(rows.kSteps, steps - t);
    TransposeSteps(x + t, shape.time, count, width, stride, rows.elements);
    ActivateCached(a.activation, count * stride, rows.elements);
    if (mask == nullptr) {
      accumulator.AddSteps(rows.elements, count, stride, /*are_cached=*/true);
    } else {
      accumulator.AddMasked(rows.elements, mask + t, count, stride, /*are_cached=*/true);
    }
  }
  const int64_t kept = accumulator.Finish();
  for (int64_t lane = 0; lane < width;) {
    const int64_t b = (first + lane) / shape.channels;
    const int64_t c = first + lane - b * shape.channels;
    const int64_t channels = std::min(width - lane, shape.channels - c);
    StoreResults<T>(a, needed, accumulators, kept, {b, c, channels, lane});
    lane += channels;
  }
}

// Consecutive units own consecutive channels. If all have the same steps, channels are taken by
// groups that fill the vectors, across examples. Groups depend on the problem alone, because else
// the bits of NaN would depend on the threads: a group is done by the unit of its first channel.
template <typename T>
void ForwardTransposedUnits(const ForwardArguments& a, const core::NeededSums& needed,
                            int64_t begin, int64_t end) {
  const core::Shape& shape = a.problem.shape;
  const auto first_channel = [&](int64_t index) {
    const Unit unit = UnitOf(a.plan, shape, index);
    return unit.b * shape.channels + unit.first_channel;
  };
  if (a.mask == nullptr && a.lengths == nullptr) {
    const int64_t channels = shape.batch * shape.channels;
    const int64_t group = a.plan.channels_per_group;
    const int64_t end_channel = first_channel(end);
    for (int64_t c = RoundUp(first_channel(begin), group); c < end_channel; c += group) {
      ForwardTransposed<T>(a, needed, c, std::min(group, channels - c), shape.time, nullptr);
    }
    return;
  }
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = UnitOf(a.plan, shape, index);
    const bool* const mask = a.mask == nullptr ? nullptr : a.mask + unit.b * shape.time;
    ForwardTransposed<T>(a, needed, first_channel(index), unit.channels, StepsOf(a, unit), mask);
  }
}

// Tiny examples, side by side.
template <typename T>
STATPOOL_OWN_FRAME void ForwardPack(const ForwardArguments& a, const core::NeededSums& needed,
                                    const Pack& pack) {
  using Compute = core::ComputeType<T>;
  T steps[kPackElements];
  PackedRows<Compute, core::kStatisticCount> y;  // or of T, which is no larger
  PackedRows<Compute, core::kSavedFieldCount> saved;
  const int64_t statistics = a.problem.statistics.size;
  pack.Prefetch<T>(a.y, statistics, 0);
  pack.Prefetch<Compute>(a.saved, a.fields.size, 0);
  ForwardArguments packed = pack.ArgumentsOf(a);
  const T* x = pack.ReadSteps(a.x, steps);
  if (a.activation.is_there) {
    ActivateElements(a.activation, x, a.problem.shape.time * pack.width(), steps);
    x = steps;
    packed.activation = {};
  }
  packed.x = x;
  packed.y = y.elements;
  packed.saved = saved.elements;
  ShortRows<T> accumulators;
  StepAccumulator<T, ShortRows<T>> accumulator(needed, packed.activation, pack.width(), a.plan.fold,
                                               &accumulators);
  accumulator.AddSteps(x, a.problem.shape.time, pack.width(), /*are_cached=*/true);
  StoreResults<T>(packed, needed, accumulators, accumulator.Finish(), {0, 0, pack.width()});
  if (sizeof(T) == 2 && a.problem.out_dtype == core::DType::kFloat32) {
    pack.WriteRows(reinterpret_cast<const float*>(y.elements), statistics, a.y);
  } else {
    pack.WriteRows(reinterpret_cast<const T*>(y.elements), statistics, a.y);
  }
  pack.WriteRows(saved.elements, a.fields.size, a.saved);
}

template <typename T>
void ForwardUnits(const ForwardArguments& a, int64_t begin, int64_t end) {
  const core::NeededSums needed = core::NeededSumsOf(a.problem.statistics);
  if (const int64_t examples = a.plan.examples_per_pack; examples > 1) {
    if (a.mask == nullptr && a.lengths == nullptr) {
      for (int64_t index = begin; index < end; ++index)
        ForwardPack<T>(a, needed, Pack(a.problem, a.plan, index));
      return;
    }
    begin *= examples;  // a unit for each example
    end = std::min(end * examples, a.problem.shape.batch);
  }
  if (a.plan.is_transposed) return ForwardTransposedUnits<T>(a, needed, begin, end);
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = UnitOf(a.plan, a.problem.shape, index);
    if (a.plan.layout == core::Layout::kChannelsLast) {
      ForwardChannelsLast<T>(a, needed, unit);
    } else {
      ForwardChannelsFirst<T>(a, needed, unit);
    }
  }
}

// Valid steps of a unit.
inline int64_t CountOf(const ForwardArguments& a, const Unit& unit) {
  const int64_t steps = StepsOf(a, unit);
  if (a.mask == nullptr) return steps;
  return CountKept(a.mask + unit.b * a.problem.shape.time + unit.first_step, steps);
}

// Joins the splits of some channels, in the order of time.
template <typename T>
void JoinChannels(const ForwardArguments& a, const core::NeededSums& needed, int64_t tile,
                  const Destination& to) {
  using Compute = core::ComputeType<T>;
  AccumulatorRows<Compute, kSeriesChannels> part;
  AccumulatorRows<Compute, kSeriesChannels, int64_t> whole;
  whole.Clear(needed, to.width);
  int64_t steps = 0;
  for (int64_t split = 0; split < a.plan.splits; ++split) {
    const Unit unit = UnitOf(a.plan, a.problem.shape, tile * a.plan.splits + split);
    const int64_t part_steps = CountOf(a, unit);
    LoadPartial(a, needed, to.b, split, to.first_channel, to.width, &part);
    if (needed.central) JoinCentral(&whole, 0, steps, part, 0, part_steps, to.width);
    JoinLanes(needed, &whole, 0, part, 0, to.width);
    steps += part_steps;
  }
  StoreResults<T>(a, needed, whole, steps, to);
}

// Joins the splits of tiles [begin, end), a few channels at a time.
template <typename T>
void JoinSplits(const ForwardArguments& a, int64_t begin, int64_t end) {
  const core::NeededSums needed = core::NeededSumsOf(a.problem.statistics);
  for (int64_t tile = begin; tile < end; ++tile) {
    const Unit unit = UnitOf(a.plan, a.problem.shape, tile * a.plan.splits);
    for (int64_t c = 0; c < unit.channels; c += kSeriesChannels) {
      const int64_t width = std::min(kSeriesChannels, unit.channels - c);
      JoinChannels<T>(a, needed, tile, {unit.b, unit.first_channel + c, width});
    }
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_GLOBAL_STATS_KERNELS_H_
