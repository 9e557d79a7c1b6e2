// Reciprocals and roots in double whose results are rounded to float: a few instructions, because
// they leave out the slow paths for numbers that a float can't hold.
#ifndef STATPOOL_CUDA_THREAD_ROOTS_CUH_
#define STATPOOL_CUDA_THREAD_ROOTS_CUH_

#include <limits>

#include "cc/core/host_device.h"

namespace statpool {
namespace cuda {

// 1 / n, right up to the last bit but one, where n is not subnormal.
__device__ __forceinline__ double Inverse(double n) {
  double first;
  asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(first) : "d"(n));
  // Two Newton steps: from 20 bits to 40, then to all.
  double inverse = __fma_rn(__fma_rn(-n, first, 1.0), first, first);
  inverse = __fma_rn(__fma_rn(-n, inverse, 1.0), inverse, inverse);
  const bool is_common = fabs(n) > 0 && fabs(n) < std::numeric_limits<double>::infinity();
  return is_common ? inverse : first;
}

// A double whose division is a product with Inverse.
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

// The root of a power to 40 bits, enough for rounding it to float.
__device__ __forceinline__ double RootForFloat(double power) {
  double inverse;
  asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(inverse) : "d"(power));
  const double root = power * inverse;
  const double better = __fma_rn(__fma_rn(-root, root, power), 0.5 * inverse, root);
  // The other powers are 0, infinity, NaN, or so small that their root is 0 as a float: `power`
  // itself rounds to the same float as its root.
  const bool is_common = power > 0x1p-1000 && power < std::numeric_limits<double>::infinity();
  return is_common ? better : power;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_ROOTS_CUH_
