// What a thread accumulates, and how chunks and rows are added to it.
#ifndef STATPOOL_CUDA_FORWARD_THREAD_SUMS_CUH_
#define STATPOOL_CUDA_FORWARD_THREAD_SUMS_CUH_

#include <cstdint>
#include <limits>
#include <type_traits>

#include "cuda/forward/accumulate.cuh"
#include "cuda/forward/accumulator.cuh"
#include "cuda/forward/chunk_values.cuh"
#include "cuda/forward/extremes.cuh"
#include "cuda/thread/for_each_index.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// Whether a kernel knows its statistics.
template <typename Sums>
constexpr bool kAreKnown = !std::is_same_v<Sums, core::NeededSums>;

// The accumulators to which a thread adds its chunks: one for each of its columns, or one for all
// if its vectors are of one channel.
template <typename T, int kVector, bool kIsOneChannel, typename Sums>
struct ThreadSums {
  using AccumulatorOf = Accumulator<core::ComputeType<T>, int32_t>;
  static constexpr int kAccumulators = kIsOneChannel ? 1 : kVector;
  // Statistics that are not known, and deviations, leave no registers for another copy of a loop.
  static constexpr bool kAreKnown = cuda::kAreKnown<Sums>;
  static constexpr bool kAreFew = kAreKnown && !core::kMost<Sums>.central;
  static constexpr bool kHasOneChannel = kIsOneChannel;
  // Whether rows in which some items are not valid are added one by one: statistics that are not
  // known leave no registers for a chunk of them.
  static constexpr bool kAddsRows = !kAreKnown && !kIsOneChannel;
  // Whether extremes are found two values at a time: where the architecture has instructions for
  // that, or where one at a time would need more registers than there are.
  static constexpr bool kByPairs = kVector > 1 && sizeof(T) == 2 && (HasPairs<T>() || !kAreKnown);
  template <int kSign, bool kAreNeeded>
  using Extremes = std::conditional_t<kByPairs && !kIsOneChannel && kAreNeeded,
                                      PairExtremes<T, kVector, kSign>, NoExtremes>;

  const Sums& needed;
  AccumulatorOf accumulators[kAccumulators];
  Extremes<1, core::kMost<Sums>.max> maxima;
  Extremes<-1, core::kMost<Sums>.min> minima;

  explicit __device__ __forceinline__ ThreadSums(const Sums& sums) : needed(sums) {
#pragma unroll
    for (AccumulatorOf& accumulator : accumulators) accumulator.Clear();
  }

  // Where rounding errors are collected by each addition (CompensatedTotal), the deviations of a
  // whole chunk of one channel need more registers than there are.
  static constexpr bool kByRow =
      kIsOneChannel && core::kMost<Sums>.central && std::is_same_v<Total, CompensatedTotal>;

  // Adds the valid items of the rows, and overwrites the others.
  template <typename Which>
  __device__ __forceinline__ void Add(Rows<T, kVector>& rows, const Which& which) {
    if constexpr (kByRow) {
      ForEachIndex<kForwardRows>([&](auto r) { AddRow(rows[r], which.Items(r)); });
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

  // Adds the items `valid` of the rows: row by row where there are deviations of one channel,
  // because those of a whole chunk need more registers than there are.
  __device__ __forceinline__ void AddItems(Rows<T, kVector>& rows, const Valid<kVector>& valid) {
    if constexpr (kIsOneChannel && kAreKnown && core::kMost<Sums>.central) {
#pragma unroll 1
      for (int k = 0; k < kForwardRows; ++k) {
        Vector<T, kVector> row = {};
        FindRow<T, kVector>(rows, k, &row);
        AddRow(row, valid.Row(k));
      }
    } else {
      Add(rows, SomeItems<kVector>{valid});
    }
  }

  // Adds the items `valid`, given as bits, of a row.
  __device__ __forceinline__ void AddRow(const Vector<T, kVector>& row, uint32_t valid) {
    if constexpr (!kIsOneChannel) {
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        if (valid >> v & 1) {
          AccumulatorOf step;
          step.Set(ToCompute(row.Item(v)));
          Join(needed, step, &accumulators[v]);
        }
      }
      return;
    }
    const auto values_of = [&](int) { return RowValues<T, kVector>(row, valid); };
    const uint32_t nans = AddSums<T, false>(values_of, needed, accumulators);
    AddExtremes(nans, [&](int) {
      constexpr auto kNan = std::numeric_limits<core::ComputeType<T>>::quiet_NaN();
      return RowValues<T, kVector>(row, valid, kNan);
    });
  }

  // Adds the extremes of values that are NaN where they are not valid. Bit v of `nans` says whether
  // a valid one for accumulator v is NaN.
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

  // Joins the extremes of pairs to the accumulators.
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

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_THREAD_SUMS_CUH_
