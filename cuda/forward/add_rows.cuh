// Adds the rows of a thread: whole chunks, the rows that a mask keeps, whole rows too few for a
// chunk, and at last rows in which some items are not valid.
#ifndef STATPOOL_CUDA_FORWARD_ADD_ROWS_CUH_
#define STATPOOL_CUDA_FORWARD_ADD_ROWS_CUH_

#include <cstdint>

#include "cuda/forward/chunk_values.cuh"
#include "cuda/forward/masked_rows.cuh"
#include "cuda/launch_plan.h"
#include "cuda/thread/activation.cuh"
#include "cuda/thread/dense_chunks.cuh"
#include "cuda/thread/items.cuh"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// The whole chunks of a thread, which it prefetches.
template <typename T, int kVector>
using ForwardChunks = DenseChunks<T, kVector, kForwardRows, ForwardChunksAhead(sizeof(T))>;

// Loads the next rows that a mask keeps; the others take no place in a chunk. Returns how many
// there are.
template <typename T, int kVector>
__device__ __forceinline__ int32_t LoadKept(const T* x, const LaunchPlan& plan, MaskedRows* kept,
                                            Rows<T, kVector>& rows) {
  int32_t count = 0;
#pragma unroll
  for (int r = 0; r < kForwardRows; ++r) {
    int32_t row;
    if (!kept->Take(&row)) continue;
    rows[r] = Load<kVector>(x + row * plan.row_elements);
    count = r + 1;
  }
  return count;
}

// Adds the rows that a mask keeps, where a row is one step.
template <typename T, int kVector, typename SumsOf>
__device__ __forceinline__ void AddKeptRows(const LaunchPlan& plan,
                                            const core::KernelActivation& activation, const T* x,
                                            MaskedRows* kept, SumsOf* sums) {
#pragma unroll 1
  while (kept->Find(kForwardRows)) {
    Rows<T, kVector> rows = {};
    const FirstRows which = {LoadKept(x, plan, kept, rows)};
    Activate(activation, rows);
    if (SumsOf::kAreFew && which.rows == kForwardRows) {
      sums->Add(rows, AllRows());
    } else {
      sums->Add(rows, which);
    }
  }
}

// Adds the whole rows from *row on, which are too few for a chunk, and sets *row to the thread's
// next one.
template <typename T, int kVector, typename SumsOf>
__device__ __forceinline__ void AddShortChunk(const LaunchPlan& plan,
                                              const core::KernelActivation& activation,
                                              const ValidSteps& is_valid, const T* x, int32_t fold,
                                              int32_t* row, SumsOf* sums) {
  Rows<T, kVector> rows = {};
  FirstRows which = {0};
#pragma unroll
  for (int r = 0; r < kForwardRows - 1; ++r) {
    if (*row * fold + fold > is_valid.end) break;
    rows[r] = Load<kVector>(x + *row * plan.row_elements);
    which.rows = r + 1;
    *row += plan.threads_y;
  }
  Activate(activation, rows);
  sums->Add(rows, which);
}

// Adds *row, in which some items may not be valid, and sets it to the thread's next one.
template <typename T, int kVector, typename SumsOf>
__device__ __forceinline__ void AddCutRow(const LaunchPlan& plan,
                                          const core::KernelActivation& activation,
                                          const ValidSteps& is_valid, const Unit& unit, const T* x,
                                          int32_t* row, SumsOf* sums) {
  ValidItems<kVector, 1> valid;
  valid.Fill(plan, is_valid, unit, *row, plan.threads_y);
  const T* from = x + *row * plan.row_elements;
  Vector<T, kVector> rows[1] = {LoadItems<kVector>(from, valid.Row(0), valid.IsWhole(0))};
  Activate(activation, rows);
  sums->AddRow(rows[0], valid.Row(0));
  *row += plan.threads_y;
}

// The same for a chunk of such rows, whose first one is *row.
template <typename T, int kVector, typename SumsOf>
__device__ __forceinline__ void AddCutChunk(const LaunchPlan& plan,
                                            const core::KernelActivation& activation,
                                            const ValidSteps& is_valid, const Unit& unit,
                                            const T* x, int32_t* row, SumsOf* sums) {
  Valid<kVector> valid;
  Rows<T, kVector> rows = {};
  valid.Fill(plan, is_valid, unit, *row, plan.threads_y);
  const T* from = x + *row * plan.row_elements;
#pragma unroll
  for (int r = 0; r < kForwardRows; ++r, from += plan.stride) {
    rows[r] = LoadItems<kVector>(from, valid.Row(r), valid.IsWhole(r));
  }
  *row += kForwardRows * plan.threads_y;
  Activate(activation, rows);
  sums->AddItems(rows, valid);
}

// Adds the thread's rows of its unit; x is that of RowZero.
template <typename T, int kVector, typename SumsOf>
__device__ __forceinline__ void AddRows(const LaunchPlan& plan,
                                        const core::KernelActivation& activation,
                                        const ValidSteps& is_valid, const Unit& unit, const T* x,
                                        ForwardChunks<T, kVector> chunks, SumsOf* sums) {
  const int32_t fold = static_cast<int32_t>(plan.fold);
  int32_t row = WithActivation<SumsOf::kAreKnown>(activation, [&](auto may_be_there) {
    return chunks.ForEach([&](auto& rows, int32_t) {
      if constexpr (may_be_there) Activate(activation, rows);
      sums->Add(rows, AllRows());
    });
  });
  const bool is_masked = is_valid.mask != nullptr;
  const bool skips_rows = is_masked && fold == 1;
  MaskedRows kept(is_valid.mask, row, plan.threads_y, is_valid.end);
  if (skips_rows) {
    AddKeptRows<T, kVector>(plan, activation, x, &kept, sums);
    return;
  }
  if (!is_masked && row * fold + fold <= is_valid.end) {
    AddShortChunk<T, kVector>(plan, activation, is_valid, x, fold, &row, sums);
  }
  if constexpr (kVector > 1) {
    // A first row that is cut comes last, so that before it the threads of a group are in
    // neighbouring rows.
    const bool has_head = is_valid.CutsRow(unit.row, plan.fold);
#pragma unroll 1
    while (row * fold < is_valid.end || has_head) {
      const bool is_head = row * fold >= is_valid.end;
      if (is_head) row = unit.row;
      if (SumsOf::kAddsRows || (SumsOf::kHasOneChannel && !is_masked)) {
        AddCutRow<T, kVector>(plan, activation, is_valid, unit, x, &row, sums);
        if (is_head) break;
        continue;
      }
      AddCutChunk<T, kVector>(plan, activation, is_valid, unit, x, &row, sums);
      if (is_head) break;
    }
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_ADD_ROWS_CUH_
