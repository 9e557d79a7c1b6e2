// The kernels of bfloat16: a file for each dtype, so that they compile side by side.
#include "cuda/kernels/instantiate.cuh"

STATPOOL_INSTANTIATE_KERNELS(core::BFloat16)
