// Loads and stores of vectors that may reach beyond an end of their slab.
#ifndef STATPOOL_CUDA_THREAD_ITEMS_CUH_
#define STATPOOL_CUDA_THREAD_ITEMS_CUH_

#include <cstdint>

#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// Loads the items `wanted` of a vector, given as bits: with one load of the whole vector if it
// `is_whole`, because all of it is in the slab then, else one by one, and the other items are 0.
// Loads nothing if no item is wanted.
template <int kVector, typename T>
__device__ __forceinline__ Vector<T, kVector> LoadItems(const T* from, uint32_t wanted,
                                                        bool is_whole) {
  Vector<T, kVector> vector = {};
  if (wanted == 0) return vector;
  if constexpr (kVector > 1) {
    if (!is_whole) {
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        if (wanted >> v & 1) vector.Set(v, from[v]);
      }
      return vector;
    }
  }
  return Load<kVector>(from);
}

// Stores the items `wanted` of a vector one by one.
template <int kVector, typename T>
__device__ __forceinline__ void StoreItems(const Vector<T, kVector>& vector, uint32_t wanted,
                                           T* to) {
#pragma unroll
  for (int v = 0; v < kVector; ++v) {
    if (wanted >> v & 1) to[v] = vector.Item(v);
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_ITEMS_CUH_
