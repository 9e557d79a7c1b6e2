// How an address is aligned.
#ifndef STATPOOL_CUDA_ALIGNMENT_H_
#define STATPOOL_CUDA_ALIGNMENT_H_

#include <cstdint>

#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// The largest power of two up to kVectorBytes that divides the address.
inline int64_t AlignmentOf(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer) | kVectorBytes;
  return static_cast<int64_t>(address & -address);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_ALIGNMENT_H_
