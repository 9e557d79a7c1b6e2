// Instantiates cuda/kernels.h for the dtype of a file.
#ifndef STATPOOL_CUDA_KERNELS_INSTANTIATE_CUH_
#define STATPOOL_CUDA_KERNELS_INSTANTIATE_CUH_

#include "cuda/forward/global_stats_kernels.cuh"
#include "cuda/gradient/global_stats_gradient_kernels.cuh"

#define STATPOOL_INSTANTIATE_KERNELS(T)                                                          \
  namespace statpool {                                                                           \
  namespace cuda {                                                                               \
  template cudaError_t LaunchForward<T>(const ForwardArguments&, const JoinPlan&, cudaStream_t); \
  template cudaError_t LaunchGradient<T>(const GradientArguments&, cudaStream_t);                \
  }                                                                                              \
  }

#endif  // STATPOOL_CUDA_KERNELS_INSTANTIATE_CUH_
