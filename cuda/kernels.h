// The interface between the launchers and each dtype's file of kernels.
#ifndef STATPOOL_CUDA_KERNELS_H_
#define STATPOOL_CUDA_KERNELS_H_

#include <cuda_runtime_api.h>

#include "cuda/arguments.h"

namespace statpool {
namespace cuda {

// One launch, and a second one where time is split.
template <typename T>
[[nodiscard]] cudaError_t LaunchForward(const ForwardArguments& arguments, const JoinPlan& join,
                                        cudaStream_t stream);

template <typename T>
[[nodiscard]] cudaError_t LaunchGradient(const GradientArguments& arguments, cudaStream_t stream);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_KERNELS_H_
