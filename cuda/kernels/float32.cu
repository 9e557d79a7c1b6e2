// The kernels of float32: a file for each dtype, so that they compile side by side.
#include "cuda/kernels/instantiate.cuh"

STATPOOL_INSTANTIATE_KERNELS(float)
