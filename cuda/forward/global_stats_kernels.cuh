// Forward pass: statistics over time of [B, T, C] or [B, C, T], one read of the steps that count.
#ifndef STATPOOL_CUDA_FORWARD_GLOBAL_STATS_KERNELS_CUH_
#define STATPOOL_CUDA_FORWARD_GLOBAL_STATS_KERNELS_CUH_

#include <cuda_runtime.h>

#include <cstdint>
#include <limits>
#include <type_traits>

#include "cuda/forward/accumulate.cuh"
#include "cuda/forward/chunk_values.cuh"
#include "cuda/forward/extremes.cuh"
#include "cuda/forward/join.cuh"
#include "cuda/forward/masked_rows.cuh"
#include "cuda/forward/partials.cuh"
#include "cuda/forward/results.cuh"
#include "cuda/kernels.h"
#include "cuda/thread/dense_chunks.cuh"
#include "cuda/thread/for_each_index.cuh"
#include "cuda/thread/items.cuh"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// ------------------------------------------------------------------------------------------------
// Kernels

extern __shared__ uint4 shared[];  // of a block: LaunchPlan::shared_bytes

// Where ptxas finds fewer registers than elsewhere.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
constexpr bool kHasFewRegisters = true;
#else
constexpr bool kHasFewRegisters = false;
#endif

template <typename Sums>
constexpr bool kAreKnown = !std::is_same_v<Sums, core::NeededSums>;

// What a thread adds its chunks to: an accumulator for each of its columns, or one for its channel.
template <typename T, int kVector, bool kIsOneChannel, typename Sums>
struct ThreadSums {
  using AccumulatorOf = Accumulator<core::ComputeType<T>, int32_t>;
  static constexpr int kAccumulators = kIsOneChannel ? 1 : kVector;
  // What is known only at run time, or takes many registers, has none for another copy of the loop.
  static constexpr bool kAreKnown = cuda::kAreKnown<Sums>;
  static constexpr bool kAreFew = kAreKnown && !core::kMost<Sums>.central;
  static constexpr bool kIsOfOneChannel = kIsOneChannel;
  // Statistics that are known only at run time leave no registers for chunks of some items.
  static constexpr bool kAddsRows = !kAreKnown && !kIsOneChannel;
  // Two at a time where there are instructions for that, or no registers for one at a time.
  static constexpr bool kByPairs = kVector > 1 && sizeof(T) == 2 && (HasPairs<T>() || !kAreKnown);
  template <int kSign, bool kAreThere>
  using Extremes = std::conditional_t<kByPairs && !kIsOneChannel && kAreThere,
                                      PackedExtremes<T, kVector, kSign>, NoExtremes>;

  const Sums& needed;
  AccumulatorOf accumulators[kAccumulators];
  Extremes<1, core::kMost<Sums>.max> maxima;
  Extremes<-1, core::kMost<Sums>.min> minima;

  explicit __device__ __forceinline__ ThreadSums(const Sums& sums) : needed(sums) {
#pragma unroll
    for (AccumulatorOf& accumulator : accumulators) accumulator.Clear();
  }

  // Bit by bit, the deviations of a whole chunk take more registers than there are.
  static constexpr bool kByRow =
      kIsOneChannel && core::kMost<Sums>.central && std::is_same_v<Total, CompensatedTotal>;

  // Adds what counts of the rows, which are not needed any more then.
  template <typename Which>
  __device__ __forceinline__ void Add(Rows<T, kVector>& rows, const Which& which) {
    if constexpr (kByRow) {
      ForEachIndex<kRows>([&](auto r) { AddRow(rows[r], which.Items(r)); });
      return;
    }
    const auto values_of = [&](int v) {
      if constexpr (kIsOneChannel) {
        return ChannelValues<T, kVector, Which>{rows, which};
      } else {
        return ColumnValues<T, kVector, Which>(rows, which, v);
      }
    };
    Fill<T, kVector>(which, 0, rows);
    const uint32_t nans = AddSums<T, Which::kAll>(values_of, needed, accumulators);
    if constexpr (!kByPairs) {
      if (!needed.max && !needed.min) return;
      Fill<T, kVector>(which, kNanWord, rows);
      AddExtremes(nans, values_of);
    } else if constexpr (kIsOneChannel) {
      if (needed.max) AddMaximumOfAll<T, kVector>(rows, which, &accumulators[0]);
    } else {
      if (needed.max) maxima.Add(rows, which);
      if (needed.min) minima.Add(rows, which);
    }
  }

  // Adds some items. A whole chunk's deviations of these would take more registers than there are,
  // so those are added row by row.
  __device__ __forceinline__ void AddItems(Rows<T, kVector>& rows, const Valid<kVector>& valid) {
    if constexpr (kIsOneChannel && kAreKnown && core::kMost<Sums>.central) {
#pragma unroll 1
      for (int k = 0; k < kRows; ++k) {
        Vector<T, kVector> row = {};
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          if (r == k) row = rows[r];
        }
        AddRow(row, valid.Row(k));
      }
    } else {
      Add(rows, SomeItems<kVector>{valid});
    }
  }

  // Adds the items `counting`, given as bits, of a row.
  __device__ __forceinline__ void AddRow(const Vector<T, kVector>& row, uint32_t counting) {
    if constexpr (!kIsOneChannel) {
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        if (counting >> v & 1) {
          AccumulatorOf step;
          step.Set(ToCompute(row.Item(v)));
          Join(needed, step, &accumulators[v]);
        }
      }
      return;
    }
    const auto values_of = [&](int) { return RowValues<T, kVector>(row, counting); };
    const uint32_t nans = AddSums<T, false>(values_of, needed, accumulators);
    AddExtremes(nans, [&](int) {
      constexpr auto kNan = std::numeric_limits<core::ComputeType<T>>::quiet_NaN();
      return RowValues<T, kVector>(row, counting, kNan);
    });
  }

  // Of values that are NaN where they don't count.
  template <typename ValuesOf>
  __device__ __forceinline__ void AddExtremes(uint32_t nans, const ValuesOf& values_of) {
#pragma unroll
    for (int v = 0; v < kAccumulators; ++v) {
      AccumulatorOf& to = accumulators[v];
      const bool is_nan = nans >> v & 1;
      if (needed.max) AddExtreme<1>(values_of(v), is_nan, &to.max, &to.max_count);
      if (needed.min) AddExtreme<-1>(values_of(v), is_nan, &to.min, &to.min_count);
    }
  }

  // Joins what is packed to the accumulators.
  __device__ __forceinline__ void Finish() {
    maxima.ForEach([&](int v, auto max, int32_t count) {
      AccumulatorOf& to = accumulators[v];
      if (needed.max) JoinExtreme(max, count, max > to.max, &to.max, &to.max_count);
    });
    minima.ForEach([&](int v, auto min, int32_t count) {
      AccumulatorOf& to = accumulators[v];
      if (needed.min) JoinExtreme(min, count, min < to.min, &to.min, &to.min_count);
    });
  }
};

// Loads the next rows that a mask keeps: what it excludes takes no place in a chunk. Returns how
// many there are.
template <typename T, int kVector>
__device__ __forceinline__ int32_t LoadKept(const T* x, const LaunchPlan& plan, MaskedRows* kept,
                                            Rows<T, kVector>& rows) {
  int32_t count = 0;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    int32_t row;
    if (!kept->Take(&row)) continue;
    rows[r] = Load<kVector>(x + row * plan.row_elements);
    count = r + 1;
  }
  return count;
}

// The chunks of kForwardRows that are asked for ahead.
template <typename T, int kVector>
using ForwardChunks = DenseChunks<T, kVector, kRows, ForwardChunksAhead(sizeof(T))>;

// The thread's rows of its unit; x is where row 0 would lie.
template <typename T, int kVector, typename SumsOf>
__device__ __forceinline__ void AddRows(const LaunchPlan& plan, const ValidSteps& is_valid,
                                        const Unit& unit, const T* x,
                                        ForwardChunks<T, kVector> chunks, SumsOf* sums) {
  const int32_t fold = static_cast<int32_t>(plan.fold);
  int32_t row = chunks.ForEach([&](auto& rows, int32_t) { sums->Add(rows, AllRows()); });
  const bool is_masked = is_valid.mask != nullptr;
  const bool skips_rows = is_masked && fold == 1;
  MaskedRows kept(is_valid.mask, row, plan.threads_y, is_valid.end);
  if (skips_rows) {
#pragma unroll 1
    while (kept.Find(kRows)) {
      Rows<T, kVector> rows = {};
      const FirstRows which = {LoadKept(x, plan, &kept, rows)};
      if (SumsOf::kAreFew && which.rows == kRows) {
        sums->Add(rows, AllRows());
      } else {
        sums->Add(rows, which);
      }
    }
    return;
  }
  if (!is_masked && row * fold + fold <= is_valid.end) {
    Rows<T, kVector> rows = {};
    FirstRows which = {0};
#pragma unroll
    for (int r = 0; r < kRows - 1; ++r) {
      if (row * fold + fold > is_valid.end) break;
      rows[r] = Load<kVector>(x + row * plan.row_elements);
      which.rows = r + 1;
      row += plan.threads_y;
    }
    sums->Add(rows, which);
  }
  if constexpr (kVector > 1) {
    // A first row that is cut comes last, so that the rows of all threads are dense at a time.
    const bool has_head = is_valid.CutsRow(unit.y, plan.fold);
#pragma unroll 1
    while (row * fold < is_valid.end || has_head) {
      const bool is_head = row * fold >= is_valid.end;
      if (is_head) row = unit.y;
      if (SumsOf::kAddsRows || (SumsOf::kIsOfOneChannel && !is_masked)) {
        ValidItems<kVector, 1> valid;
        valid.Fill(plan, is_valid, unit, row, plan.threads_y);
        const T* from = x + row * plan.row_elements;
        sums->AddRow(LoadItems<kVector>(from, valid.Row(0), valid.IsWhole(0)), valid.Row(0));
        row += plan.threads_y;
        if (is_head) break;
        continue;
      }
      Valid<kVector> valid;
      Rows<T, kVector> rows = {};
      valid.Fill(plan, is_valid, unit, row, plan.threads_y);
      const T* from = x + row * plan.row_elements;
#pragma unroll
      for (int r = 0; r < kRows; ++r, from += plan.stride) {
        rows[r] = LoadItems<kVector>(from, valid.Row(r), valid.IsWhole(r));
      }
      row += kRows * plan.threads_y;
      sums->AddItems(rows, valid);
      if (is_head) break;
    }
  }
}

// A block owns plan.groups units, a group of threads one unit, a thread kVector neighbouring
// columns of every threads_y-th row in it, which are steps of one channel if kIsOneChannel.
template <typename T, int kVector, bool kIsOneChannel, typename Sums>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)),
                                  ForwardBlocks(sizeof(T), kAreKnown<Sums>))
    GlobalStatsForwardKernel(const __grid_constant__ ForwardArguments a, const Sums needed) {
  using SumsOf = ThreadSums<T, kVector, kIsOneChannel, Sums>;
  using AccumulatorOf = typename SumsOf::AccumulatorOf;
  const LaunchPlan& plan = a.plan;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    Unit unit = UnitOf(plan, block);
    const ValidSteps is_valid = ValidStepsOf(plan, a.mask, a.lengths, unit, a.shape.time);
    const T* x = static_cast<const T*>(a.x) + RowZero(plan, is_valid, unit, a.shape.time);
    // A cut row is added by itself, or with those after it.
    const bool adds_rows = SumsOf::kAddsRows || (kIsOneChannel && a.mask == nullptr);
    const int32_t head_rows = adds_rows ? 1 : kRows;
    const ForwardChunks<T, kVector> chunks(plan, is_valid, unit, x, head_rows, /*is_read=*/true,
                                           shared);
    SumsOf sums(needed);
    if (unit.is_active) AddRows(plan, is_valid, unit, x, chunks, &sums);
    sums.Finish();
    if constexpr (core::kMost<Sums>.central ||
                  sizeof(T) == 2 && (kIsOneChannel || kHasFewRegisters)) {
      // Worked out anew, it takes no registers of the loop, which has none to spare.
      asm volatile("" : "+l"(block));
      unit = UnitOf(plan, block);
    }
    const auto store = [&](int64_t column, const AccumulatorOf& joined) {
      if (plan.splits > 1) {
        StorePartial(a, needed, joined, unit.slab * plan.width + column, unit.split);
      } else {
        StoreResults<T>(a, needed, joined, unit.b, unit.first_channel + column);
      }
    };
    // The lanes of a channel in a group: threads_y * fold of them.
    const bool is_tiled = plan.tiles > 1;
    const int32_t stride = is_tiled ? plan.threads_x * kVector : static_cast<int32_t>(plan.width);
    const JoinGroup group = {unit.exists,
                             unit.group,
                             plan.group_threads,
                             unit.thread,
                             plan.threads_y * static_cast<int32_t>(plan.fold),
                             stride};
    if constexpr (kIsOneChannel) {
      const bool are_in_warps = kWarpThreads % plan.group_threads == 0;
      JoinLanes(needed, group, are_in_warps, shared, &sums.accumulators[0],
                [&](const AccumulatorOf& joined) { store(0, joined); });
    } else {
      __syncthreads();  // others write over the thread's chunks
      JoinCopies<BlockThreads(sizeof(T))>(needed, group, shared, sums.accumulators,
                                          [&](int32_t i, const AccumulatorOf& joined) {
                                            const int64_t column = unit.first_column + i;
                                            if (column < plan.width) store(column, joined);
                                          });
    }
  }
}

// A warp owns a channel, a thread every 32nd split of it.
template <typename T, typename Sums>
__global__ void __launch_bounds__(kJoinThreads)
    GlobalStatsJoinKernel(const __grid_constant__ ForwardArguments a,
                          const __grid_constant__ JoinPlan plan, const Sums needed) {
  using AccumulatorOf = Accumulator<core::ComputeType<T>, int64_t>;
  const auto tid = static_cast<int32_t>(threadIdx.x);
  const int32_t group = tid / kWarpThreads;
  const int32_t thread = tid % kWarpThreads;
  const int64_t channels = a.shape.batch * a.shape.channels;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    const int64_t channel = block * (kJoinThreads / kWarpThreads) + group;
    AccumulatorOf accumulator;
    accumulator.Clear();
    if (channel < channels) {
#pragma unroll 4
      for (int32_t split = thread; split < a.plan.splits; split += kWarpThreads) {
        AccumulatorOf part;
        LoadPartial(a, needed, channel, split, &part);
        Join(needed, part, &accumulator);
      }
    }
    const JoinGroup lanes = {channel < channels, group, kWarpThreads, thread, kWarpThreads, 1};
    JoinLanes(needed, lanes, /*are_in_warps=*/true, nullptr, &accumulator,
              [&](const AccumulatorOf& joined) {
                const int64_t b = QuotientOfAny(channel, plan.by_channels);
                StoreResults<T>(a, needed, joined, b, channel - b * a.shape.channels);
              });
  }
}

// ------------------------------------------------------------------------------------------------
// Launchers

template <typename T, int kVector, bool kIsOneChannel = false>
cudaError_t LaunchForwardOf(const ForwardArguments& a, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(a.plan.grid);
  const auto launch = [&](const auto& needed) {
    constexpr bool kIsThere = kHasChannelKernel<std::decay_t<decltype(needed)>>;
    GlobalStatsForwardKernel<T, kVector, kIsOneChannel && kIsThere>
        <<<grid, a.plan.block, a.plan.shared_bytes, stream>>>(a, needed);
  };
  if constexpr (kVector > 1) {
    WithKnownSums(a.needed, launch);
  } else {
    WithFewSums(a.needed, launch);
  }
  return cudaGetLastError();
}

template <typename T>
cudaError_t LaunchForward(const ForwardArguments& a, const JoinPlan& join, cudaStream_t stream) {
  constexpr int kWidest = kVectorBytes / sizeof(T);
  const cudaError_t error = a.plan.vector_width == 1 ? LaunchForwardOf<T, 1>(a, stream)
                            : IsOneChannel(a.plan)   ? LaunchForwardOf<T, kWidest, true>(a, stream)
                                                     : LaunchForwardOf<T, kWidest>(a, stream);
  if (error != cudaSuccess || join.grid == 0) return error;
  WithFewSums(a.needed, [&](const auto& needed) {
    GlobalStatsJoinKernel<T>
        <<<static_cast<unsigned>(join.grid), kJoinThreads, 0, stream>>>(a, join, needed);
  });
  return cudaGetLastError();
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_GLOBAL_STATS_KERNELS_CUH_
