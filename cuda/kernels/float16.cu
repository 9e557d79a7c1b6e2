// The kernels of float16. Each dtype has a file, so that they compile in parallel.
#include "cuda/kernels/instantiate.cuh"

STATPOOL_INSTANTIATE_KERNELS(core::Float16)
