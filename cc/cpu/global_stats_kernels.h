// Forward pass: statistics over time of [B, T, C] or [B, C, T], one read of the valid steps.
//
// One unit owns a tile of channels of one example over one split of time. Rows of the tile are
// steps (channels_last) or runs of `fold` consecutive steps of one channel (channels_first).
#ifndef STATPOOL_CPU_GLOBAL_STATS_KERNELS_H_
#define STATPOOL_CPU_GLOBAL_STATS_KERNELS_H_

#include <cmath>

#include "cc/cpu/kernels.h"
#include "cc/cpu/rescaled.h"
#include "cc/cpu/steps.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

// ------------------------------------------------------------------------------------------------
// Accumulation

// Feeds a tile with steps of `width` channels. The lanes of `fold` steps lie side by side.
template <typename T>
struct StepAccumulator {
  using Compute = core::ComputeType<T>;

  StepAccumulator(const core::Needs& needs, int64_t width, int64_t fold, Tile<Compute>* tile)
      : needs(needs), width(width), fold(fold), tile(tile) {
    tile->Clear(needs, width * fold);
  }

  // `steps` steps, each `stride` elements after the last. Folding needs stride == width.
  void AddDense(const T* x, int64_t steps, int64_t stride) {
    const T* rows[kChunkRows];
    const int64_t row_stride = stride * fold;
    int64_t left = steps / fold;
    while (left > 0) {
      const int64_t count = std::min<int64_t>(left, kChunkRows);
      for (int64_t r = 0; r < count; ++r) rows[r] = x + r * row_stride;
      AccumulateRows(rows, count, width * fold, full_rows, needs, tile);
      full_rows += count;
      left -= count;
      x += count * row_stride;
    }
    last_lanes = steps % fold * width;
    if (last_lanes > 0) AccumulateRows(&x, 1, last_lanes, full_rows, needs, tile);
  }

  // The steps that the mask keeps, gathered by address: the others are never loaded.
  void AddMasked(const T* x, const bool* mask, int64_t steps, int64_t stride) {
    const T* rows[kChunkRows];
    int64_t count = 0;
    for (int64_t t = 0; t < steps; ++t) {
      if (!mask[t]) continue;
      rows[count++] = x + t * stride;
      if (count == kChunkRows) {
        AccumulateRows(rows, count, width, full_rows, needs, tile);
        full_rows += count;
        count = 0;
      }
    }
    AccumulateRows(rows, count, width, full_rows, needs, tile);
    full_rows += count;
  }

  // Joins the lanes of channel c.
  core::Moments Channel(int64_t c) const {
    core::Moments moments = core::IdentityMoments();
    for (int64_t lane = c; lane < width * fold; lane += width) {
      const int64_t count = full_rows + (lane < last_lanes);
      core::Merge(tile->Lane(needs, lane, count), needs, &moments);
    }
    return moments;
  }

  const core::Needs needs;
  const int64_t width;
  const int64_t fold;
  Tile<Compute>* const tile;
  int64_t full_rows = 0;
  int64_t last_lanes = 0;  // lanes that a last, shorter row reached
};

// ------------------------------------------------------------------------------------------------
// Results

template <typename T>
void Finish(const ForwardArguments& a, const core::Needs& needs, int64_t b, int64_t c,
            core::Moments moments) {
  using Compute = core::ComputeType<T>;
  const core::Shape& shape = a.problem.shape;
  if constexpr (std::is_same_v<T, double>) {
    if (NeedsRescaling(moments, needs, a.problem.epsilon)) {
      moments = RescaledMoments(a, needs, b, c);
    }
  }
  const core::Summary summary = core::Summarise(moments, needs, a.problem.epsilon);
  const core::StatisticList& statistics = a.problem.statistics;
  for (int i = 0; i < statistics.size; ++i) {
    const double value = core::StatisticValue(statistics.items[i], summary);
    const int64_t to = (b * statistics.size + i) * shape.channels + c;
    if constexpr (sizeof(T) == 2) {
      if (a.out_dtype == core::DType::kFloat32) {
        core::StoreRounded(value, static_cast<float*>(a.y) + to);
        continue;
      }
    }
    core::StoreRounded(value, static_cast<T*>(a.y) + to);
  }
  for (int i = 0; i < a.planes.size; ++i) {
    static_cast<Compute*>(a.saved)[(b * a.planes.size + i) * shape.channels + c] =
        core::PlaneValue<Compute>(a.planes.items[i], summary, moments);
  }
}

template <typename T>
void Emit(const ForwardArguments& a, const core::Needs& needs, const Unit& unit, int64_t c,
          const core::Moments& moments) {
  if (a.plan.splits == 1) return Finish<T>(a, needs, unit.b, c, moments);
  a.partials[(unit.b * a.plan.splits + unit.split) * a.problem.shape.channels + c] = moments;
}

// ------------------------------------------------------------------------------------------------
// Units

template <typename T>
void ForwardChannelsLast(const ForwardArguments& a, const core::Needs& needs, const Unit& unit,
                         Tile<core::ComputeType<T>>* tile) {
  const core::Shape& shape = a.problem.shape;
  const int64_t end = std::min(unit.end_step, EndOfExample(a.lengths, unit.b, shape));
  const int64_t steps = std::max<int64_t>(end - unit.first_step, 0);
  const int64_t first = unit.b * shape.time + unit.first_step;
  const T* x = static_cast<const T*>(a.x) + first * shape.channels + unit.first_channel;
  const int64_t fold = a.mask == nullptr ? a.plan.fold : 1;
  StepAccumulator<T> accumulator(needs, unit.channels, fold, tile);
  if (a.mask == nullptr) {
    accumulator.AddDense(x, steps, shape.channels);
  } else {
    accumulator.AddMasked(x, a.mask + first, steps, shape.channels);
  }
  for (int64_t c = 0; c < unit.channels; ++c) {
    Emit<T>(a, needs, unit, unit.first_channel + c, accumulator.Channel(c));
  }
}

// Packs the steps that the mask keeps, a buffer at a time, so that they fill the lanes.
template <typename T>
void AddPacked(const T* x, const bool* mask, int64_t steps, StepAccumulator<T>* accumulator) {
  constexpr int64_t kBuffer = 1024;  // a multiple of every fold: only the last one ends in a row
  T packed[kBuffer];
  int64_t count = 0;
  for (int64_t t = 0; t < steps; ++t) {
    if (!mask[t]) continue;
    packed[count++] = x[t];
    if (count == kBuffer) {
      accumulator->AddDense(packed, count, 1);
      count = 0;
    }
  }
  accumulator->AddDense(packed, count, 1);
}

template <typename T>
void ForwardChannelsFirst(const ForwardArguments& a, const core::Needs& needs, const Unit& unit,
                          Tile<core::ComputeType<T>>* tile) {
  const core::Shape& shape = a.problem.shape;
  const int64_t end = std::min(unit.end_step, EndOfExample(a.lengths, unit.b, shape));
  const int64_t steps = std::max<int64_t>(end - unit.first_step, 0);
  for (int64_t c = unit.first_channel; c < unit.first_channel + unit.channels; ++c) {
    const T* x =
        static_cast<const T*>(a.x) + (unit.b * shape.channels + c) * shape.time + unit.first_step;
    StepAccumulator<T> accumulator(needs, 1, a.plan.fold, tile);
    if (a.mask == nullptr) {
      accumulator.AddDense(x, steps, 1);
    } else {
      AddPacked(x, a.mask + unit.b * shape.time + unit.first_step, steps, &accumulator);
    }
    Emit<T>(a, needs, unit, c, accumulator.Channel(0));
  }
}

template <typename T>
void ForwardUnits(const ForwardArguments& a, int64_t begin, int64_t end) {
  const core::Needs needs = core::NeedsOf(a.problem.statistics);
  Tile<core::ComputeType<T>> tile;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = UnitOf(a.plan, a.problem.shape, index);
    if (a.problem.layout == core::Layout::kChannelsLast) {
      ForwardChannelsLast<T>(a, needs, unit, &tile);
    } else {
      ForwardChannelsFirst<T>(a, needs, unit, &tile);
    }
  }
}

// Joins the splits of each (b, c) in the order of time.
template <typename T>
void JoinSplits(const ForwardArguments& a, int64_t begin, int64_t end) {
  const core::Needs needs = core::NeedsOf(a.problem.statistics);
  const int64_t channels = a.problem.shape.channels;
  for (int64_t index = begin; index < end; ++index) {
    const int64_t b = index / channels;
    const int64_t c = index % channels;
    core::Moments moments = core::IdentityMoments();
    for (int64_t split = 0; split < a.plan.splits; ++split) {
      core::Merge(a.partials[(b * a.plan.splits + split) * channels + c], needs, &moments);
    }
    Finish<T>(a, needs, b, c, moments);
  }
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GLOBAL_STATS_KERNELS_H_
