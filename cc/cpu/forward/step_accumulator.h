// Feeds the steps of a unit to its accumulators.
#ifndef STATPOOL_CPU_FORWARD_STEP_ACCUMULATOR_H_
#define STATPOOL_CPU_FORWARD_STEP_ACCUMULATOR_H_

#include <algorithm>

#include "cc/cpu/forward/accumulate.h"
#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/forward/join.h"
#include "cc/cpu/simd/activation.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Feeds steps of `width` channels. The lanes of `fold` steps are side by side. With an input
// activation, rows of x are copied into a block as activated, a few at a time, so that the loops
// are not compiled once more for it. The caller has activated rows that are cached.
template <typename T, typename Accumulators>
struct StepAccumulator {
  static constexpr int64_t N = kLanes<core::ComputeType<T>>;

  StepAccumulator(const core::NeededSums& needed, const core::KernelActivation& activation,
                  int64_t width, int64_t fold, Accumulators* accumulators)
      : needed(needed),
        activation(activation),
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
    if (activation.is_there && !are_cached) return AddActivated(x, steps, stride);
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
      AddListed({rows, rows + count, ahead}, count, are_cached);
      count = 0;
    }
    AddListed({rows, rows + count, ahead}, count, are_cached);
  }

  // Rows of a block. In no frame, because threads may have little stack.
  static constexpr int64_t kBlock = kChunkRows * kMostLanes;
  static T* Block() {
    alignas(kMaxVectorBytes) static thread_local T elements[kBlock];
    return elements;
  }
  // Few, so that a block stays in the first-level cache together with the accumulators.
  int64_t BlockRows() const {
    return std::max<int64_t>(kBlock / 2 / row.elements / kChunkRows, 1) * kChunkRows;
  }

  void AddActivated(const T* x, int64_t steps, int64_t stride) {
    const int64_t most = BlockRows() * fold;
    for (int64_t t = 0; t < steps; t += most) {
      const int64_t count = std::min(most, steps - t);
      const int64_t pieces = stride == width ? 1 : count;
      for (int64_t i = 0; i < pieces; ++i) {
        ActivateElements(activation, x + (t + i) * stride, count / pieces * width,
                         Block() + i * width);
      }
      AddSteps(Block(), count, width, /*are_cached=*/true);
    }
  }

  void AddListed(const ListedRows<T>& rows, int64_t count, bool are_cached) {
    if (!activation.is_there || are_cached) return AddRows(rows, count);
    for (int64_t first = 0; first < count; first += BlockRows()) {
      const int64_t part = std::min(BlockRows(), count - first);
      for (int64_t r = 0; r < part; ++r) {
        ActivateElements(activation, rows[first + r], row.elements, Block() + r * row.elements);
      }
      AddSteps(Block(), part, row.elements, /*are_cached=*/true);
    }
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
  const core::KernelActivation& activation;
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
