// The kernels of float16.
#include "cuda/global_stats_gradient_kernels.cuh"
#include "cuda/global_stats_kernels.cuh"

namespace statpool {
namespace cuda {

template cudaError_t LaunchForward<core::Float16>(const ForwardArguments&, const JoinPlan&,
                                                  cudaStream_t);
template cudaError_t LaunchGradient<core::Float16>(const GradientArguments&, cudaStream_t);

}  // namespace cuda
}  // namespace statpool
