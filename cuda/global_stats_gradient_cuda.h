// Gradient on the GPU: one more read of x, one write of dx.
#ifndef STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_CUDA_H_
#define STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_CUDA_H_

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cc/core/problem.h"
#include "cuda/device.h"

namespace statpool {
namespace cuda {

// Enqueues the writing of every element of dx. All pointers are to device memory; lengths outside
// [0, T] act as if clipped. Needs no workspace and never synchronises.
[[nodiscard]] cudaError_t LaunchGlobalStatsGradient(
    void* dx,                // as x
    const void* upstream,    // [B, S * C], out_dtype
    const void* x,           // [B, T, C] or [B, C, T], dtype
    const void* saved,       // [B, planes, C], compute type of dtype
    const bool* mask,        // [B, T] or null
    const int64_t* lengths,  // [B] or null
    const core::Problem& problem, core::DType dtype, core::DType out_dtype, const Device& device,
    cudaStream_t stream);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_CUDA_H_
