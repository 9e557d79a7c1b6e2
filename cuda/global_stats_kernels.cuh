// Forward pass: statistics over time of [B, T, C] or [B, C, T], one read of the steps that count.
#ifndef STATPOOL_CUDA_GLOBAL_STATS_KERNELS_CUH_
#define STATPOOL_CUDA_GLOBAL_STATS_KERNELS_CUH_

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/accumulate.cuh"
#include "cuda/dense_chunks.cuh"
#include "cuda/items.cuh"
#include "cuda/join.cuh"
#include "cuda/kernels.h"
#include "cuda/partials.cuh"
#include "cuda/results.cuh"
#include "cuda/unit.cuh"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// ------------------------------------------------------------------------------------------------
// Kernels

// Rows of a thread's vector, every threads_y-th of the unit, and which of their items count.
template <typename T, int kVector>
using Rows = Vector<T, kVector>[kRows];
template <int kVector>
using Valid = ValidItems<kVector, kRows>;

// Loads the vectors of a chunk in which anything counts, and no other.
template <typename T, int kVector>
__device__ __forceinline__ void LoadValid(const T* x, int64_t stride, const Valid<kVector>& valid,
                                          Rows<T, kVector>& rows) {
#pragma unroll
  for (int r = 0; r < kRows; ++r, x += stride) {
    rows[r] = LoadItems<kVector>(x, valid.Row(r), valid.IsWhole(r));
  }
}

// The maxima of items 2 * word and the next one, as ExtremeOf, where all rows count.
template <typename T, int kVector, typename AccumulatorOf>
__device__ __forceinline__ void MaximaOfPair(const Rows<T, kVector>& rows, int word,
                                             const AccumulatorOf (&accumulators)[kVector],
                                             Extreme<float> (&maxima)[2]) {
  Vector<T, 2> best = {};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    T before;
    Round(accumulators[2 * word + i].max, &before);
    best.Set(i, before);
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    best.words[0] = LargerPair<T>(best.words[0], rows[r].words[word]);
  }
  // An equal lower half adds 65536 - 1, an upper one -65536: first + 65536 * (second - first), less
  // than 0.
  uint32_t ties = 0;
#pragma unroll
  for (int r = 0; r < kRows; ++r) ties += EqualPair<T>(rows[r].words[word], best.words[0]);
  ties = -ties;
  maxima[0] = {ToCompute(best.Item(0)), static_cast<int32_t>(ties & 0xffff)};
  maxima[1] = {ToCompute(best.Item(1)), static_cast<int32_t>((ties + (ties << 16)) >> 16)};
}

// Loads the next rows that count of those from *row on, where a row is one step: what a mask
// excludes takes no place in a chunk. Returns whether they fill it.
template <typename T, int kVector>
__device__ __forceinline__ bool LoadCounting(const T* x, const LaunchPlan& plan,
                                             const ValidSteps& is_valid, int32_t* row,
                                             Rows<T, kVector>& rows, Valid<kVector>* valid) {
  valid->Clear();
#pragma unroll
  for (int r = 0; r < kRows; ++r, *row += plan.threads_y) {
    while (*row < is_valid.end && !core::Keeps(is_valid.mask, *row)) *row += plan.threads_y;
    rows[r] = {};
    if (*row >= is_valid.end) continue;
    rows[r] = Load<kVector>(x + *row * plan.row_elements);
    valid->SetRow(r);
  }
  return valid->Row(kRows - 1) != 0;
}

// Every item of the first kWhole rows counts, and no other; where that is 0, those of `valid`.
template <int kWhole, typename T, int kVector, typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void AddItems(const Rows<T, kVector>& rows, const Valid<kVector>& valid,
                                         const Sums& needed,
                                         AccumulatorOf (&accumulators)[kVector]) {
  constexpr bool kByPairs = kWhole == kRows && kVector > 1 && HasPairs<T>();
  Extreme<core::ComputeType<T>> maxima[2] = {};  // of the item, and of the one beside it
#pragma unroll
  for (int v = 0; v < kVector; ++v) {
    const auto is_valid = [&](int r) { return kWhole > 0 ? r < kWhole : valid.At(r, v); };
    core::ComputeType<T> values[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      values[r] = is_valid(r) ? ToCompute(rows[r].Item(v)) : 0;
    }
    if constexpr (kByPairs) {
      if (needed.max && v % 2 == 0) MaximaOfPair(rows, v / 2, accumulators, maxima);
    }
    const auto maximum = [&](bool is_nan) {
      return kByPairs ? maxima[v % 2] : ExtremeOf<1>(values, is_valid, is_nan, accumulators[v].max);
    };
    const int32_t steps = kWhole > 0 ? kWhole : valid.Count(v);
    AddChunk<T>(values, is_valid, steps, needed, maximum, &accumulators[v]);
  }
}

template <typename Sums>
constexpr bool kAreKnown = !std::is_same_v<Sums, core::NeededSums>;

// Their buffer leaves room for the three 16-bit blocks that the smallest multiprocessors from sm_80
// on hold in 100 KB, 1 KB of each being the system's.
template <typename T, int kVector>
using ForwardChunks = DenseChunks<T, kVector, kRows, 32 << 10>;
template <typename T, int kVector>
using ForwardBuffer = typename ForwardChunks<T, kVector>::Buffer;

// The thread's rows of its unit; x is where row 0 would lie.
template <typename T, int kVector, typename Sums, typename AccumulatorOf>
__device__ __forceinline__ void AddRows(const LaunchPlan& plan, const Sums& needed,
                                        const ValidSteps& is_valid, const Unit& unit, const T* x,
                                        ForwardChunks<T, kVector> chunks,
                                        AccumulatorOf (&accumulators)[kVector]) {
  const int32_t fold = static_cast<int32_t>(plan.fold);
  int32_t row = chunks.ForEach(
      [&](const auto& rows, int32_t) { AddItems<kRows>(rows, {}, needed, accumulators); });
  // Half a chunk may be all that is left: series of few steps have no more.
  constexpr int kHalf = kRows / 2;
  const int32_t half_end = row + kHalf * plan.threads_y;
  if (kAreKnown<Sums> && is_valid.mask == nullptr && half_end * fold >= is_valid.end &&
      (half_end - plan.threads_y + 1) * fold <= is_valid.end) {
    Rows<T, kVector> half = {};
#pragma unroll
    for (int r = 0; r < kHalf; ++r, row += plan.threads_y) {
      half[r] = Load<kVector>(x + row * plan.row_elements);
    }
    AddItems<kHalf>(half, {}, needed, accumulators);
  }
  // A first row that is cut comes last, so that the rows of all threads are dense at a time.
  const bool has_head = is_valid.CutsRow(unit.y, plan.fold);
  const bool skips_rows = is_valid.mask != nullptr && fold == 1;
#pragma unroll 1
  while (row * fold < is_valid.end || has_head) {
    const bool is_head = row * fold >= is_valid.end;
    if (is_head) row = unit.y;
    Rows<T, kVector> chunk;
    Valid<kVector> valid;
    bool all;
    if (skips_rows) {
      all = LoadCounting(x, plan, is_valid, &row, chunk, &valid);
    } else {
      all = valid.Fill(plan, is_valid, unit, row, plan.threads_y);
      LoadValid(x + row * plan.row_elements, plan.stride, valid, chunk);
      row += kRows * plan.threads_y;
    }
    // Statistics that are known only at run time leave no registers for another copy.
    if (kAreKnown<Sums> && all) {
      AddItems<kRows>(chunk, valid, needed, accumulators);
    } else {
      AddItems<0>(chunk, valid, needed, accumulators);
    }
    if (is_head) break;
  }
  if (needed.central) {
#pragma unroll
    for (int v = 0; v < kVector; ++v) accumulators[v].Centre();
  }
}

// A block owns plan.groups units, a group of threads one unit, a thread kVector neighbouring
// columns of every threads_y-th row in it.
template <typename T, int kVector, typename Sums>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)),
                                  BlocksPerMultiprocessor(sizeof(T), kAreKnown<Sums>))
    GlobalStatsForwardKernel(const __grid_constant__ ForwardArguments a, const Sums needed) {
  using AccumulatorOf = Accumulator<core::ComputeType<T>, int32_t>;
  __shared__ union {
    ForwardBuffer<T, kVector> chunks;
    JoinBuffer<AccumulatorOf, Sums, BlockThreads(sizeof(T)), kVector> join;
  } buffer;
  const LaunchPlan& plan = a.plan;
  // The lanes of a channel in a group: threads_y * fold of them.
  const bool is_tiled = plan.tiles > 1;
  const int32_t stride = is_tiled ? plan.threads_x * kVector : static_cast<int32_t>(plan.width);
  const int32_t copies = plan.threads_y * static_cast<int32_t>(plan.fold);
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    Unit unit = UnitOf(plan, block);
    const ValidSteps is_valid = ValidStepsOf(plan, a.mask, a.lengths, unit, a.shape.time);
    const T* x = static_cast<const T*>(a.x) + RowZero(plan, is_valid, unit, a.shape.time);
    const ForwardChunks<T, kVector> chunks(plan, is_valid, unit, x, /*is_read=*/true,
                                           &buffer.chunks);
    AccumulatorOf accumulators[kVector];
#pragma unroll
    for (int v = 0; v < kVector; ++v) accumulators[v].Clear();
    if (unit.is_active) AddRows(plan, needed, is_valid, unit, x, chunks, accumulators);
    if constexpr (ForwardChunks<T, kVector>::kAhead > 0) {
      __syncthreads();  // others write over the thread's chunks
    }
    if constexpr (kMostSums<Sums>.central) {
      // Worked out anew, it takes no registers of the loop, which has none to spare.
      asm volatile("" : "+l"(block));
      unit = UnitOf(plan, block);
    }
    const JoinGroup group = {unit.exists, unit.group, plan.group_threads,
                             unit.thread, copies,     stride};
    JoinCopies<BlockThreads(sizeof(T))>(
        needed, group, &buffer.join, accumulators, [&](int32_t i, const AccumulatorOf& joined) {
          const int64_t column = unit.first_column + i;
          if (column >= plan.width) return;
          if (plan.splits > 1) {
            StorePartial(a, needed, joined, unit.slab, unit.split, column);
          } else {
            StoreResults<T>(a, needed, joined, unit.b, unit.first_channel + column);
          }
        });
  }
}

// A block owns threads_x channels of any example, a thread every threads_y-th split of one.
template <typename T>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)))
    GlobalStatsJoinKernel(const __grid_constant__ ForwardArguments a,
                          const __grid_constant__ JoinPlan plan) {
  using AccumulatorOf = Accumulator<core::ComputeType<T>, int64_t>;
  constexpr int kThreads = BlockThreads(sizeof(T));
  __shared__ JoinBuffer<AccumulatorOf, core::NeededSums, kThreads, 1> buffer;
  const int32_t x = threadIdx.x % plan.threads_x;
  const int32_t y = threadIdx.x / plan.threads_x;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    const int64_t channel = block * plan.threads_x + x;
    const int64_t slab = channel / a.plan.width;
    const int64_t column = channel % a.plan.width;
    const bool is_active = y < plan.threads_y && channel < a.plan.slabs * a.plan.width;
    AccumulatorOf accumulators[1];
    accumulators[0].Clear();
    if (is_active) {
      for (int64_t split = y; split < a.plan.splits; split += plan.threads_y) {
        AccumulatorOf part;
        LoadPartial(a, a.needed, slab, split, column, &part);
        Join(a.needed, part, &accumulators[0]);
      }
    }
    const JoinGroup group = {
        true, 0, kThreads, static_cast<int32_t>(threadIdx.x), plan.threads_y, plan.threads_x};
    JoinCopies<kThreads>(
        a.needed, group, &buffer, accumulators, [&](int32_t i, const AccumulatorOf& joined) {
          const int64_t joined_channel = block * plan.threads_x + i;
          if (joined_channel >= a.plan.slabs * a.plan.width) return;
          const int64_t b = joined_channel / a.shape.channels;
          StoreResults<T>(a, a.needed, joined, b, joined_channel - b * a.shape.channels);
        });
  }
}

// ------------------------------------------------------------------------------------------------
// Launchers

template <typename T, int kVector>
cudaError_t LaunchForwardOf(const ForwardArguments& a, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(a.plan.grid);
  using core::DefaultSums, core::MeanSums, core::MaxSums, core::MeanStdSums;
  core::WithKnown<DefaultSums, MeanSums, MaxSums, MeanStdSums>(a.needed, [&](const auto& needed) {
    GlobalStatsForwardKernel<T, kVector><<<grid, a.plan.block, 0, stream>>>(a, needed);
  });
  return cudaGetLastError();
}

template <typename T>
cudaError_t LaunchForward(const ForwardArguments& a, const JoinPlan& join, cudaStream_t stream) {
  constexpr int kWidest = kVectorBytes / sizeof(T);
  const cudaError_t error = a.plan.vector_width == kWidest ? LaunchForwardOf<T, kWidest>(a, stream)
                                                           : LaunchForwardOf<T, 1>(a, stream);
  if (error != cudaSuccess || join.grid == 0) return error;
  GlobalStatsJoinKernel<T><<<static_cast<unsigned>(join.grid), join.block, 0, stream>>>(a, join);
  return cudaGetLastError();
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GLOBAL_STATS_KERNELS_CUH_
