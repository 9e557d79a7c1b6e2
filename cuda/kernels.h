// The interface between the launchers and the kernels, which each dtype has in a file of its own.
#ifndef STATPOOL_CUDA_KERNELS_H_
#define STATPOOL_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include "cuda/arguments.h"

namespace statpool {
namespace cuda {

// Enqueues one launch, and a second one where the plan has splits.
template <typename T>
[[nodiscard]] cudaError_t LaunchForward(const ForwardArguments& arguments, const JoinPlan& join,
                                        cudaStream_t stream);

template <typename T>
[[nodiscard]] cudaError_t LaunchGradient(const GradientArguments& arguments, cudaStream_t stream);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_KERNELS_H_
