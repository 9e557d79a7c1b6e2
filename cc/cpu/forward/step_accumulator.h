// Feeds the steps of a unit to its accumulators.
#ifndef STATPOOL_CPU_FORWARD_STEP_ACCUMULATOR_H_
#define STATPOOL_CPU_FORWARD_STEP_ACCUMULATOR_H_

#include <algorithm>

#include "cc/cpu/forward/accumulate.h"
#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/forward/join.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Feeds steps of `width` channels. The lanes of `fold` steps are side by side.
template <typename T, typename Accumulators>
struct StepAccumulator {
  static constexpr int64_t N = kLanes<core::ComputeType<T>>;

  StepAccumulator(const core::NeededSums& needed, int64_t width, int64_t fold,
                  Accumulators* accumulators)
      : needed(needed),
        width(width),
        fold(fold),
        // Not for folded rows, which fill their vectors, nor for half a vector, which costs no more
        // than a whole one.
        row{width * fold, fold == 1 && width > N && width % (N / 2) != 0},
        accumulators(accumulators) {
    accumulators->Clear(needed, row.overlaps ? (width / N + 1) * N : row.elements);
  }

  // Adds `steps` steps, `stride` elements apart. Folding needs stride == width.
  void AddSteps(const T* x, int64_t steps, int64_t stride, bool are_cached = false) {
    const EvenRows<T> rows(x, stride * fold, row.elements, are_cached);
    const int64_t whole_rows = steps / fold;
    AddRows(rows, whole_rows);
    last_lanes = steps % fold * width;
    if (last_lanes == 0) return;
    AccumulateRows<T>(rows + whole_rows, 1, {last_lanes, false}, full_rows, needed, accumulators);
  }

  // Adds those that the mask keeps, by their addresses: the others are never loaded.
  void AddMasked(const T* x, const bool* mask, int64_t steps, int64_t stride,
                 bool are_cached = false) {
    constexpr int64_t kMost = 256;
    static_assert(kMost % kChunkRows == 0, "only the very last rows don't fill a chunk");
    const T* rows[kMost];
    const int64_t row_bytes = row.elements * sizeof(T);
    const int64_t ahead = are_cached ? 0 : std::min(kAheadBytes / row_bytes, kMost / 2);
    int64_t count = 0;
    for (int64_t t = 0; t < steps; ++t) {
      rows[count] = x + t * stride;
      count += core::Keeps(mask, t);  // a branch would be predicted badly
      if (count < kMost) continue;
      AddRows(ListedRows<T>{rows, rows + count, ahead}, count);
      count = 0;
    }
    AddRows(ListedRows<T>{rows, rows + count, ahead}, count);
  }

  template <typename Rows>
  void AddRows(const Rows& rows, int64_t count) {
    AccumulateRows<T>(rows, count, row, full_rows, needed, accumulators);
    full_rows += count;
  }

  // Joins the lanes of each channel into its first one; returns the steps of a channel.
  int64_t Finish() const {
    RemoveOverlap(row, needed, accumulators);
    int64_t steps[kMaxFold];
    for (int64_t k = 0; k < fold; ++k) steps[k] = full_rows + (k * width < last_lanes);
    if (width == 1 && fold == kMaxFold) {
      JoinChannel<kMaxFold>(needed, accumulators, steps);
    } else {
      JoinFold(needed, accumulators, width, fold, steps);
    }
    return steps[0];
  }

  const core::NeededSums needed;
  const int64_t width;
  const int64_t fold;
  const RowWidth row;
  Accumulators* const accumulators;
  int64_t full_rows = 0;
  int64_t last_lanes = 0;  // lanes that a last, shorter row reached
};

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_STEP_ACCUMULATOR_H_
