// Division by a number that the host has prepared: a multiplication and a shift, where a division
// takes the GPU twenty instructions for 32 bits and a hundred for 64.
#ifndef STATPOOL_CUDA_DIVISOR_H_
#define STATPOOL_CUDA_DIVISOR_H_

#include <cstdint>

namespace statpool {
namespace cuda {

struct Divisor {
  int64_t by;
  uint32_t multiplier;  // 2^(31 + shift) / by, rounded up; 0 if `by` is 2^31 or more
  int32_t shift;        // the least with 2^shift >= by
};

constexpr Divisor DivisorOf(int64_t by) {
  if (by >> 31 != 0) return {by, 0, 0};
  int32_t shift = 0;
  while (int64_t{1} << shift < by) ++shift;
  const uint64_t multiplier = ((uint64_t{1} << (31 + shift)) + by - 1) / by;
  return {by, static_cast<uint32_t>(multiplier), shift};
}

#ifdef __CUDACC__

// n / by, for n below 2^31. Right because rounding the multiplier up adds less than 2^-31 / by for
// each unit of n.
__device__ __forceinline__ uint32_t Quotient(uint32_t n, const Divisor& divisor) {
  return __umulhi(2 * n, divisor.multiplier) >> divisor.shift;
}

__device__ __forceinline__ int64_t Quotient(int64_t n, const Divisor& divisor) {
  return n / divisor.by;
}

// The quick division where n allows it, else the other.
__device__ __forceinline__ int64_t QuotientOfAny(int64_t n, const Divisor& divisor) {
  return n >> 31 == 0 ? int64_t{Quotient(static_cast<uint32_t>(n), divisor)} : Quotient(n, divisor);
}

#endif

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_DIVISOR_H_
