// Lets the formulas of core compile for every device: nvcc defines __CUDACC__, the C++ compilers
// don't.
#ifndef STATPOOL_CORE_HOST_DEVICE_H_
#define STATPOOL_CORE_HOST_DEVICE_H_

#if defined(__CUDACC__)
#define STATPOOL_HOST_DEVICE __host__ __device__
#else
#define STATPOOL_HOST_DEVICE
#endif

// Inlines a function or, after its parameters, a lambda: vectors longer than the registers of an
// instruction set must not cross a call.
#define STATPOOL_ALWAYS_INLINE __attribute__((always_inline))
#define STATPOOL_INLINE static inline STATPOOL_ALWAYS_INLINE

#endif  // STATPOOL_CORE_HOST_DEVICE_H_
