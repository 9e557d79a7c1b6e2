// Both passes on the GPU: mean, max, norm ... over time of x, and the gradient, in one read of x
// each.
//
// All pointers are to device memory; lengths outside [0, T] act as if clipped. The plan is that of
// the problem and of these addresses, see cuda/launch_plan.h; the workspace lives until the kernels
// have run. Nothing here synchronises.
#ifndef STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_
#define STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_

#include <cuda_runtime_api.h>

#include <string>

#include "cc/core/api.h"
#include "cc/core/problem.h"
#include "cuda/device.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

// Enqueues the writing of every element of y and saved.
[[nodiscard]] STATPOOL_API cudaError_t LaunchGlobalStats(const core::Problem& problem,
                                                         const ForwardPlan& plan,
                                                         const core::ForwardBuffers& buffers,
                                                         cudaStream_t stream);

// Enqueues the writing of every element of dx.
[[nodiscard]] STATPOOL_API cudaError_t
LaunchGlobalStatsGradient(const core::Problem& problem, const LaunchPlan& plan,
                          const core::GradientBuffers& buffers, cudaStream_t stream);

// An error's name and words: of the runtime that is linked here, which others don't see.
STATPOOL_API std::string DescribeError(cudaError_t error);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_
