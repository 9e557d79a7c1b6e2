// The chunks of a thread's rows in which every item is valid. From sm_80 on they are prefetched:
// while the thread works on one, the next ones are on their way from global to shared memory, where
// they wait without taking registers.
#ifndef STATPOOL_CUDA_THREAD_DENSE_CHUNKS_CUH_
#define STATPOOL_CUDA_THREAD_DENSE_CHUNKS_CUH_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "cuda/launch_plan.h"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// The chunks of one thread in one unit. It prefetches kAhead of them: none before sm_80, which
// can't copy to shared memory asynchronously, and none of vectors of one element, which are too
// small to be copied so. A thread reads only what it has copied itself, so no barrier is needed.
template <typename T, int kVector, int kRows, int kMostAhead>
class DenseChunks {
 public:
#ifdef __CUDA_ARCH__
  static constexpr int kAhead = kVector > 1 && __CUDA_ARCH__ >= 800 ? kMostAhead : 0;
#else
  static constexpr int kAhead = 0;
#endif

  // Prefetches the first chunks into `buffer`, which has room for those of all threads of the block
  // (ChunkBytes in cuda/launch_plan.h). x is that of RowZero, and read only if `is_read`. A first
  // row that is cut is left out, and with it the next ones, `head_rows` in all.
  __device__ __forceinline__ DenseChunks(const LaunchPlan& plan, const ValidSteps& is_valid,
                                         const Unit& unit, const T* x, int32_t head_rows,
                                         bool is_read, uint4* buffer)
      : plan_(plan), places_(PlacesIn(buffer)), is_read_(is_read) {
    const int32_t fold_bits = __ffs(static_cast<int32_t>(plan.fold)) - 1;  // fold is 2^fold_bits
    const int32_t dense_rows = is_valid.mask == nullptr ? is_valid.end >> fold_bits : 0;
    end_ = dense_rows - (kRows - 1) * plan.threads_y;
    row_ = unit.row + (is_valid.CutsRow(unit.row, plan.fold) ? head_rows * plan.threads_y : 0);
    x_ = x + row_ * plan.row_elements;
    if constexpr (kAhead > 0) {
#pragma unroll
      for (int32_t number = 0; number < kAhead; ++number) Prefetch(number, number);
    }
  }

  // Calls use(vectors, row) for each chunk, whose first row is `row`. Returns the first row after
  // all of them.
  template <typename Use>
  __device__ __forceinline__ int32_t ForEach(const Use& use) {
#pragma unroll 1
    for (int32_t number = 0; row_ < end_; ++number) {
      Vector<T, kVector> rows[kRows] = {};
      if (is_read_) Take(number, rows);
      if constexpr (kAhead > 0) Prefetch(number, kAhead);
      use(rows, row_);
      row_ += kRows * plan_.threads_y;
      x_ += kRows * plan_.stride;
    }
    return row_;
  }

 private:
  // Prefetches the chunk `chunks_on` after the one at row_, if it exists, into the place of chunk
  // `number`, which has been taken.
  __device__ __forceinline__ void Prefetch(int32_t number, int32_t chunks_on) {
    if (is_read_ && row_ + chunks_on * (kRows * plan_.threads_y) < end_) {
      const T* x = x_ + chunks_on * (kRows * plan_.stride);
      const auto place = static_cast<uint32_t>(__cvta_generic_to_shared(PlaceOf(number)));
#pragma unroll
      for (int r = 0; r < kRows; ++r, x += plan_.stride) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                     :
                     : "r"(place + r * static_cast<uint32_t>(kWarpThreads * sizeof(uint4))), "l"(x)
                     : "memory");
      }
    }
    // One group of copies for each chunk, even without a copy, because Take counts the groups.
    asm volatile("cp.async.commit_group;" ::: "memory");
  }

  // Waits for chunk `number`, or loads it where chunks are not prefetched.
  __device__ __forceinline__ void Take(int32_t number, Vector<T, kVector> (&rows)[kRows]) {
    if constexpr (kAhead > 0) {
      asm volatile("cp.async.wait_group %0;" ::"n"(kAhead - 1) : "memory");
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        rows[r] = VectorOf<kVector, T>(PlaceOf(number)[r * kWarpThreads]);
      }
    } else {
      const T* x = x_;
#pragma unroll
      for (int r = 0; r < kRows; ++r, x += plan_.stride) rows[r] = Load<kVector>(x);
    }
  }

  __device__ __forceinline__ uint4* PlaceOf(int32_t number) {
    return places_ + number % std::max(kAhead, 1) * (kRows * kWarpThreads);
  }

  // The places of the threads of a warp are next to each other.
  static __device__ __forceinline__ uint4* PlacesIn(uint4* buffer) {
    const uint32_t warp = threadIdx.x / kWarpThreads;
    return buffer + warp * (kAhead * kRows * kWarpThreads) + threadIdx.x % kWarpThreads;
  }

  const LaunchPlan& plan_;
  uint4* const places_;
  const bool is_read_;
  const T* x_;   // of the first row of the next chunk
  int32_t row_;  // that row
  int32_t end_;  // whole chunks begin before this row
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_DENSE_CHUNKS_CUH_
