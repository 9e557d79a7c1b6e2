// Brings lengths, which TensorFlow keeps in host memory, to where kernels read them.
#ifndef STATPOOL_CUDA_LENGTHS_H_
#define STATPOOL_CUDA_LENGTHS_H_

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cc/core/api.h"

namespace statpool {
namespace cuda {

// Enqueues the writing of `size` lengths to device memory. They travel as arguments of kernels, so
// they have been read when this returns, the stream never waits, and a CUDA graph that captures the
// call holds the numbers themselves. A copy from pageable memory would do neither, and a copy from
// pinned memory would read it later, when it may hold something else.
[[nodiscard]] STATPOOL_API cudaError_t StoreLengths(const int64_t* lengths, int64_t size,
                                                    int64_t* on_device, cudaStream_t stream);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_LENGTHS_H_
