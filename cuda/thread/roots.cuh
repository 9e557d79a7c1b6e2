// Reciprocals and roots in double where float is what is asked for: without the slow paths, and
// with a few of the instructions, of those that look out for every double.
#ifndef STATPOOL_CUDA_THREAD_ROOTS_CUH_
#define STATPOOL_CUDA_THREAD_ROOTS_CUH_

#include <limits>

#include "cc/core/host_device.h"

namespace statpool {
namespace cuda {

// 1 / n to the last bit but one, for n that is not subnormal.
__device__ __forceinline__ double Inverse(double n) {
  double first;
  asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(first) : "d"(n));
  // Newton's steps, from 20 bits to 40 to all.
  double inverse = __fma_rn(__fma_rn(-n, first, 1.0), first, first);
  inverse = __fma_rn(__fma_rn(-n, inverse, 1.0), inverse, inverse);
  const bool is_common = fabs(n) > 0 && fabs(n) < std::numeric_limits<double>::infinity();
  return is_common ? inverse : first;
}

// A number that is divided as above.
struct Quick {
  double value = 0;

  STATPOOL_HOST_DEVICE Quick() {}
  STATPOOL_HOST_DEVICE Quick(double number) : value(number) {}
  STATPOOL_HOST_DEVICE operator double() const { return value; }

  friend STATPOOL_HOST_DEVICE Quick operator/(const Quick& a, const Quick& b) {
#ifdef __CUDA_ARCH__
    return a.value * Inverse(b.value);
#else
    return a.value / b.value;
#endif
  }
};

// The root of a power that is to be rounded to float: 40 bits of it.
__device__ __forceinline__ double RootForFloat(double power) {
  double inverse;
  asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(inverse) : "d"(power));
  const double root = power * inverse;
  const double better = __fma_rn(__fma_rn(-root, root, power), 0.5 * inverse, root);
  // What is left out, 0, infinity and NaN, is its own root where a float can tell.
  const bool is_common = power > 0x1p-1000 && power < std::numeric_limits<double>::infinity();
  return is_common ? better : power;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_ROOTS_CUH_
