// The kernels of float64.
#include "cuda/global_stats_gradient_kernels.cuh"
#include "cuda/global_stats_kernels.cuh"

namespace statpool {
namespace cuda {

template cudaError_t LaunchForward<double>(const ForwardArguments&, const JoinPlan&, cudaStream_t);
template cudaError_t LaunchGradient<double>(const GradientArguments&, cudaStream_t);

}  // namespace cuda
}  // namespace statpool
