// Forward pass on the GPU: mean, max, norm ... over time of x, [B, T, C] or [B, C, T].
#ifndef STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_
#define STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cc/core/problem.h"
#include "cuda/device.h"

namespace statpool {
namespace cuda {

// The two-call protocol's first call: bytes of device workspace that LaunchGlobalStats needs for
// this problem, 0 if time is not split.
int64_t GlobalStatsWorkspaceBytes(const core::Problem& problem, core::DType dtype,
                                  const Device& device);

// Enqueues the writing of every element of y and saved. All pointers are to device memory; lengths
// outside [0, T] act as if clipped. Never synchronises.
[[nodiscard]] cudaError_t LaunchGlobalStats(void* y,        // [B, S * C], out_dtype
                                            void* saved,    // [B, planes, C], compute type of dtype
                                            const void* x,  // [B, T, C] or [B, C, T], dtype
                                            const bool* mask,        // [B, T] or null
                                            const int64_t* lengths,  // [B] or null
                                            const core::Problem& problem, core::DType dtype,
                                            core::DType out_dtype, const Device& device,
                                            void* workspace, cudaStream_t stream);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_
