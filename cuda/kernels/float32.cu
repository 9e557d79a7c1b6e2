// The kernels of float32. Each dtype has a file, so that they compile in parallel.
#include "cuda/kernels/instantiate.cuh"

STATPOOL_INSTANTIATE_KERNELS(float)
