// A loop over numbers that the compiler knows, unrolled.
#ifndef STATPOOL_CUDA_THREAD_FOR_EACH_INDEX_CUH_
#define STATPOOL_CUDA_THREAD_FOR_EACH_INDEX_CUH_

#include <type_traits>

namespace statpool {
namespace cuda {

// Calls use(std::integral_constant<int, i>()) for i in [0, kCount).
template <int kCount, typename Use, int kFirst = 0>
__device__ __forceinline__ void ForEachIndex(const Use& use) {
  if constexpr (kFirst < kCount) {
    use(std::integral_constant<int, kFirst>());
    ForEachIndex<kCount, Use, kFirst + 1>(use);
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_FOR_EACH_INDEX_CUH_
