// Loads and stores of up to 16 bytes, and conversions of what they hold.
#ifndef STATPOOL_CUDA_VECTOR_IO_CUH_
#define STATPOOL_CUDA_VECTOR_IO_CUH_

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

#include "cc/core/problem.h"

namespace statpool {
namespace cuda {

template <typename T, int kVector>
struct Vector {
  T items[kVector];
};

// One instruction: kVector is 1, or fills 16 bytes.
template <int kVector, typename T>
__device__ __forceinline__ Vector<T, kVector> Load(const T* from) {
  Vector<T, kVector> vector;
  if constexpr (kVector == 1) {
    vector.items[0] = *from;
  } else {
    static_assert(sizeof vector == sizeof(uint4));
    const uint4 raw = *reinterpret_cast<const uint4*>(from);
    memcpy(&vector, &raw, sizeof raw);
  }
  return vector;
}

template <int kVector, typename T>
__device__ __forceinline__ void Store(const Vector<T, kVector>& vector, T* to) {
  if constexpr (kVector == 1) {
    *to = vector.items[0];
  } else {
    static_assert(sizeof vector == sizeof(uint4));
    uint4 raw;
    memcpy(&raw, &vector, sizeof raw);
    *reinterpret_cast<uint4*>(to) = raw;
  }
}

__device__ __forceinline__ float ToCompute(float value) { return value; }
__device__ __forceinline__ double ToCompute(double value) { return value; }
__device__ __forceinline__ float ToCompute(core::Float16 value) {
  return __half2float(__ushort_as_half(value.bits));
}
__device__ __forceinline__ float ToCompute(core::BFloat16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}

// To the nearest, ties to even. Narrowing twice, from double by way of float, is what the
// contract's bounds allow for: first to float32's accuracy, then one rounding.
__device__ __forceinline__ void Round(double value, double* to) { *to = value; }
__device__ __forceinline__ void Round(double value, float* to) { *to = static_cast<float>(value); }
__device__ __forceinline__ void Round(float value, float* to) { *to = value; }
__device__ __forceinline__ void Round(float value, core::Float16* to) {
  to->bits = __half_as_ushort(__float2half_rn(value));
}
__device__ __forceinline__ void Round(float value, core::BFloat16* to) {
  to->bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_VECTOR_IO_CUH_
