// Lets the scalar formulas of core compile as device code too: nvcc defines __CUDACC__, the C++
// compilers don't.
#ifndef STATPOOL_CORE_HOST_DEVICE_H_
#define STATPOOL_CORE_HOST_DEVICE_H_

#if defined(__CUDACC__)
#define STATPOOL_HOST_DEVICE __host__ __device__
#else
#define STATPOOL_HOST_DEVICE
#endif

#endif  // STATPOOL_CORE_HOST_DEVICE_H_
