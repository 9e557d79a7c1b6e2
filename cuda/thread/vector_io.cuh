// Loads and stores of up to 16 bytes, and conversions of what they hold.
#ifndef STATPOOL_CUDA_THREAD_VECTOR_IO_CUH_
#define STATPOOL_CUDA_THREAD_VECTOR_IO_CUH_

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "cc/core/problem.h"

namespace statpool {
namespace cuda {

// kVector neighbouring values in as few registers as hold them. A 16-bit value is taken out of its
// register only where it is used, because until then a register holds two of them.
template <typename T, int kVector>
struct Vector {
  static constexpr int kWords = (sizeof(T) * kVector + 3) / 4;
  uint32_t words[kWords];

  __device__ T Item(int v) const {
    if constexpr (sizeof(T) == 2) {
      return {static_cast<uint16_t>(words[v / 2] >> v % 2 * 16)};
    } else if constexpr (sizeof(T) == 4) {
      return __uint_as_float(words[v]);
    } else {
      return __hiloint2double(words[2 * v + 1], words[2 * v]);
    }
  }

  // Sets an item that is 0.
  __device__ void Set(int v, T item) {
    if constexpr (sizeof(T) == 2) {
      words[v / 2] |= static_cast<uint32_t>(item.bits) << v % 2 * 16;
    } else if constexpr (sizeof(T) == 4) {
      words[v] = __float_as_uint(item);
    } else {
      words[2 * v] = __double2loint(item);
      words[2 * v + 1] = __double2hiint(item);
    }
  }
};

// A vector from its 16 bytes.
template <int kVector, typename T>
__device__ __forceinline__ Vector<T, kVector> VectorOf(uint4 raw) {
  Vector<T, kVector> vector = {};
  static_assert(sizeof vector == sizeof raw);
  vector.words[0] = raw.x;
  vector.words[1] = raw.y;
  vector.words[2] = raw.z;
  vector.words[3] = raw.w;
  return vector;
}

// Loads with one instruction: kVector is 1, or as many as 16 bytes hold.
template <int kVector, typename T>
__device__ __forceinline__ Vector<T, kVector> Load(const T* from) {
  if constexpr (kVector == 1) {
    Vector<T, kVector> vector = {};
    vector.Set(0, *from);
    return vector;
  } else {
    return VectorOf<kVector, T>(*reinterpret_cast<const uint4*>(from));
  }
}

template <int kVector, typename T>
__device__ __forceinline__ void Store(const Vector<T, kVector>& vector, T* to) {
  if constexpr (kVector == 1) {
    *to = vector.Item(0);
  } else {
    static_assert(sizeof vector == sizeof(uint4));
    // The compiler may turn an assignment into four stores.
    __stwb(reinterpret_cast<uint4*>(to),
           make_uint4(vector.words[0], vector.words[1], vector.words[2], vector.words[3]));
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

// Rounds to the nearest, ties to even. Doubles become 16-bit values in two roundings, by way of
// float, which the contract's bounds allow for.
__device__ __forceinline__ void Round(double value, double* to) { *to = value; }
__device__ __forceinline__ void Round(double value, float* to) { *to = static_cast<float>(value); }
__device__ __forceinline__ void Round(float value, float* to) { *to = value; }
__device__ __forceinline__ void Round(float value, core::Float16* to) {
  to->bits = __half_as_ushort(__float2half_rn(value));
}
__device__ __forceinline__ void Round(float value, core::BFloat16* to) {
  to->bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

// ------------------------------------------------------------------------------------------------
// Two 16-bit values at a time, where the architecture has instructions for them.

template <typename T>
struct Pair;

template <>
struct Pair<core::Float16> {
  using Type = __half2;
  static constexpr int kArchitecture = 800;

  static __device__ __forceinline__ Type Round(float a, float b) { return __floats2half2_rn(a, b); }
};

template <>
struct Pair<core::BFloat16> {
  using Type = __nv_bfloat162;
  static constexpr int kArchitecture = 900;

  static __device__ __forceinline__ Type Round(float a, float b) {
    return __floats2bfloat162_rn(a, b);
  }
};

// Rounds all of kVector values.
template <typename T, typename Compute, int kVector>
__device__ __forceinline__ Vector<T, kVector> RoundAll(const Compute (&values)[kVector]) {
  Vector<T, kVector> vector = {};
  if constexpr (sizeof(T) == 2 && kVector > 1) {
    for (int w = 0; w < kVector / 2; ++w) {
      const auto pair = Pair<T>::Round(values[2 * w], values[2 * w + 1]);
      vector.words[w] = reinterpret_cast<const uint32_t&>(pair);
    }
  } else {
    for (int v = 0; v < kVector; ++v) {
      T rounded;
      Round(values[v], &rounded);
      vector.Set(v, rounded);
    }
  }
  return vector;
}

// Whether pairs can be compared.
template <typename T>
constexpr bool HasPairs() {
#ifdef __CUDA_ARCH__
  if constexpr (sizeof(T) == 2) return __CUDA_ARCH__ >= Pair<T>::kArchitecture;
#endif
  return false;
}

// Returns a pair whose halves are half(item of a, item of b).
template <typename T, typename Half>
__device__ __forceinline__ uint32_t ByHalves(uint32_t a, uint32_t b, const Half& half) {
  const auto result = [&](int i) {
    const Vector<T, 2> pair_a = {{a}}, pair_b = {{b}};
    return half(pair_a.Item(i), pair_b.Item(i));
  };
  return result(0) | result(1) << 16;
}

// The larger item of a and b in each half, NaN where either is NaN.
template <typename T>
__device__ __forceinline__ uint32_t LargerPair(uint32_t a, uint32_t b) {
  if constexpr (HasPairs<T>()) {
    using PairOf = typename Pair<T>::Type;
    const PairOf larger =
        __hmax2_nan(reinterpret_cast<const PairOf&>(a), reinterpret_cast<const PairOf&>(b));
    return reinterpret_cast<const uint32_t&>(larger);
  } else {
    return ByHalves<T>(a, b, [](T one, T other) -> uint32_t {
      const float value = ToCompute(one);
      return value > ToCompute(other) || value != value ? one.bits : other.bits;
    });
  }
}

// The product in each half, rounded.
template <typename T>
__device__ __forceinline__ uint32_t ProductPair(uint32_t a, uint32_t b) {
  if constexpr (HasPairs<T>()) {
    using PairOf = typename Pair<T>::Type;
    const PairOf product =
        __hmul2_rn(reinterpret_cast<const PairOf&>(a), reinterpret_cast<const PairOf&>(b));
    return reinterpret_cast<const uint32_t&>(product);
  } else {
    return ByHalves<T>(a, b, [](T one, T other) -> uint32_t {
      T product;
      Round(ToCompute(one) * ToCompute(other), &product);
      return product.bits;
    });
  }
}

// 0xffff in each half that is above 0, else 0.
template <typename T>
__device__ __forceinline__ uint32_t PositivePair(uint32_t a) {
  if constexpr (HasPairs<T>()) {
    using PairOf = typename Pair<T>::Type;
    constexpr uint32_t kZero = 0;
    return __hgt2_mask(reinterpret_cast<const PairOf&>(a), reinterpret_cast<const PairOf&>(kZero));
  } else {
    return ByHalves<T>(a, 0, [](T one, T) -> uint32_t { return ToCompute(one) > 0 ? 0xffff : 0; });
  }
}

// 0xffff in each half in which a and b are equal, else 0.
template <typename T>
__device__ __forceinline__ uint32_t EqualPair(uint32_t a, uint32_t b) {
  if constexpr (HasPairs<T>()) {
    using PairOf = typename Pair<T>::Type;
    return __heq2_mask(reinterpret_cast<const PairOf&>(a), reinterpret_cast<const PairOf&>(b));
  } else {
    return ByHalves<T>(a, b, [](T one, T other) -> uint32_t {
      return ToCompute(one) == ToCompute(other) ? 0xffff : 0;
    });
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_VECTOR_IO_CUH_
