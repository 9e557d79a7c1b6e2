// The chunks of a thread's rows that count as a whole. From sm_80 on they are asked for ahead:
// while the thread works on one, the next ones are on their way from global to shared memory, where
// they wait without taking registers.
#ifndef STATPOOL_CUDA_DENSE_CHUNKS_CUH_
#define STATPOOL_CUDA_DENSE_CHUNKS_CUH_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "cuda/launch_plan.h"
#include "cuda/unit.cuh"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// The chunks of kRows rows that a thread asks for ahead: as many as kBytes of shared memory hold
// for all threads of a block, two at most, which keep the loads of cards with most bandwidth in
// flight. None where the architecture can't copy to shared memory by itself, or not so few bytes.
template <typename T, int kVector, int kRows, int64_t kBytes>
constexpr int ChunksAhead() {
#ifdef __CUDA_ARCH__
  constexpr int64_t kChunkBytes = BlockThreads(sizeof(T)) * kRows * kVectorBytes;
  if (kVector > 1 && __CUDA_ARCH__ >= 800) return std::min<int>(kBytes / kChunkBytes, 2);
#endif
  return 0;
}

// Of one thread in one unit. A thread reads what it has copied itself, which takes no barrier.
template <typename T, int kVector, int kRows, int64_t kBytes>
class DenseChunks {
 public:
  static constexpr int kAhead = ChunksAhead<T, kVector, kRows, kBytes>();
  static constexpr int kThreads = BlockThreads(sizeof(T));

  // Room for what the threads of a block ask for.
  struct Buffer {
    uint4 vectors[std::max(kAhead * kRows * kThreads, 1)];
  };

  // Asks for the first chunks. x is where row 0 would lie, and read only if `is_read`. A first row
  // that is cut is left out.
  __device__ __forceinline__ DenseChunks(const LaunchPlan& plan, const ValidSteps& is_valid,
                                         const Unit& unit, const T* x, bool is_read, Buffer* buffer)
      : plan_(plan), places_(buffer->vectors + threadIdx.x), is_read_(is_read) {
    const int32_t fold_bits = __ffs(static_cast<int32_t>(plan.fold)) - 1;  // it is a power of two
    const int32_t dense_rows = is_valid.mask == nullptr ? is_valid.end >> fold_bits : 0;
    end_ = dense_rows - (kRows - 1) * plan.threads_y;
    row_ = unit.y + (is_valid.CutsRow(unit.y, plan.fold) ? kRows * plan.threads_y : 0);
    x_ = x + row_ * plan.row_elements;
    if constexpr (kAhead > 0) {
#pragma unroll
      for (int32_t number = 0; number < kAhead; ++number) AskFor(number, number);
    }
  }

  // Calls use(vectors, row) for each, `row` being the first of its rows. Returns the row from which
  // on no chunk counts as a whole.
  template <typename Use>
  __device__ __forceinline__ int32_t ForEach(const Use& use) {
#pragma unroll 1
    for (int32_t number = 0; row_ < end_; ++number) {
      Vector<T, kVector> rows[kRows] = {};
      if (is_read_) Take(number, rows);
      if constexpr (kAhead > 0) AskFor(number, kAhead);
      use(rows, row_);
      row_ += kRows * plan_.threads_y;
      x_ += kRows * plan_.stride;
    }
    return row_;
  }

 private:
  // Asks for the chunk so many on, if there is one, into the place of chunk `number`, which has
  // been taken.
  __device__ __forceinline__ void AskFor(int32_t number, int32_t chunks_on) {
    if (is_read_ && row_ + chunks_on * (kRows * plan_.threads_y) < end_) {
      const T* x = x_ + chunks_on * (kRows * plan_.stride);
      const auto place = static_cast<uint32_t>(__cvta_generic_to_shared(PlaceOf(number)));
#pragma unroll
      for (int r = 0; r < kRows; ++r, x += plan_.stride) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                     :
                     : "r"(place + r * static_cast<uint32_t>(kThreads * sizeof(uint4))), "l"(x)
                     : "memory");
      }
    }
    // A group for each chunk, be it empty: they are counted where one is waited for.
    asm volatile("cp.async.commit_group;" ::: "memory");
  }

  // Waits for chunk `number`, or loads it where none is asked for ahead.
  __device__ __forceinline__ void Take(int32_t number, Vector<T, kVector> (&rows)[kRows]) {
    if constexpr (kAhead > 0) {
      asm volatile("cp.async.wait_group %0;" ::"n"(kAhead - 1) : "memory");
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        rows[r] = VectorOf<kVector, T>(PlaceOf(number)[r * kThreads]);
      }
    } else {
      const T* x = x_;
#pragma unroll
      for (int r = 0; r < kRows; ++r, x += plan_.stride) rows[r] = Load<kVector>(x);
    }
  }

  __device__ __forceinline__ uint4* PlaceOf(int32_t number) {
    return places_ + number % std::max(kAhead, 1) * (kRows * kThreads);
  }

  const LaunchPlan& plan_;
  uint4* const places_;
  const bool is_read_;
  const T* x_;   // of the next chunk
  int32_t row_;  // its first one
  int32_t end_;  // no chunk that counts as a whole begins here or later
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_DENSE_CHUNKS_CUH_
