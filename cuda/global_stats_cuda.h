// Both passes on the GPU: statistics over time of x (mean, max, l2, ...), and the gradient, in one
// read of x each.
//
// The front door of cuda/. Read next cuda/launch_plan.h, which says in what words a call is cut,
// then cuda/forward/global_stats_kernels.cuh or cuda/gradient/global_stats_gradient_kernels.cuh:
// the kernels, which say what a block and a thread own. cuda/thread/ has what both passes share.
//
// All pointers are to device memory; lengths outside [0, T] act as if clipped. The plan must be
// made for the problem and for these addresses, and the workspace must live until the kernels have
// run. Nothing here synchronises.
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

// An error's name and text, from the runtime that is linked into this library, which callers can't
// ask.
STATPOOL_API std::string DescribeError(cudaError_t error);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GLOBAL_STATS_CUDA_H_
