// Brings lengths, which TensorFlow keeps in host memory, to where kernels read them.
#ifndef STATPOOL_CUDA_LENGTHS_H_
#define STATPOOL_CUDA_LENGTHS_H_

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cc/core/api.h"

namespace statpool {
namespace cuda {

// Enqueues the writing of `size` lengths to device memory. They travel as arguments of kernels:
// they have been read when this returns, for any size the stream goes on, and a CUDA graph that
// captures the call holds the numbers themselves. A copy would do neither from pageable memory, and
// would read pinned memory later, when it may belong to someone else.
[[nodiscard]] STATPOOL_API cudaError_t StoreLengths(const int64_t* lengths, int64_t size,
                                                    int64_t* on_device, cudaStream_t stream);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_LENGTHS_H_
