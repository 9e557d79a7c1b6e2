// The input activation (core/activation.h) of vectors, and its gradient: where an architecture
// compares pairs, two 16-bit values at a time, in their own arithmetic.
#ifndef STATPOOL_CUDA_THREAD_ACTIVATION_CUH_
#define STATPOOL_CUDA_THREAD_ACTIVATION_CUH_

#include <cstdint>
#include <type_traits>

#include "cc/core/activation.h"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

template <typename T, int kVector>
constexpr bool kHasWholePairs = sizeof(T) == 2 && kVector > 1;

// Whether the relu of a vector is that of its words, and that relu: two 16-bit values, or a float
// in the register that has its bits.
template <typename T, int kVector>
constexpr bool kHasReluOfWords = kHasWholePairs<T, kVector>;
template <typename T>
__device__ __forceinline__ uint32_t ReluOfWord(uint32_t word) {
  return LargerPair<T>(word, 0);
}
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
template <int kVector>
constexpr bool kHasReluOfWords<float, kVector> = true;
template <>
__device__ __forceinline__ uint32_t ReluOfWord<float>(uint32_t word) {
  asm("max.NaN.f32 %0, %0, 0f00000000;" : "+r"(word));
  return word;
}
#endif

template <typename T>
__device__ __forceinline__ uint32_t PairOf(double value) {
  T rounded;
  Round(static_cast<float>(value), &rounded);
  return rounded.bits * 0x10001u;
}

// Returns use(whether there may be an activation). With kApart, what is used is compiled once for
// calls without one, which then pay nothing for it.
template <bool kApart, typename Use>
__device__ __forceinline__ auto WithActivation(const core::KernelActivation& activation,
                                               const Use& use) {
  if constexpr (kApart) {
    if (!activation.is_there) return use(std::false_type());
  }
  return use(std::true_type());
}

// Replaces kRows vectors by their activation, if there is one.
template <typename T, int kVector, int kRows>
__device__ __forceinline__ void Activate(const core::KernelActivation& activation,
                                         Vector<T, kVector> (&rows)[kRows]) {
  using Compute = core::ComputeType<T>;
  const auto for_each_word = [&rows](const auto& replace) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (uint32_t& word : rows[r].words) word = replace(word);
    }
  };
  const auto for_each_item = [&rows](const auto& value_of) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      Compute values[kVector];
#pragma unroll
      for (int v = 0; v < kVector; ++v) values[v] = value_of(ToCompute(rows[r].Item(v)));
      rows[r] = RoundAll<T>(values);
    }
  };
  if (!activation.is_there) return;
  if (activation.is_relu) {
    if constexpr (kHasReluOfWords<T, kVector>) {
      for_each_word([](uint32_t word) { return ReluOfWord<T>(word); });
    } else {
      for_each_item([](Compute value) { return core::Activated(true, Compute{0}, value); });
    }
    return;
  }
  if constexpr (kHasWholePairs<T, kVector>) {
    const uint32_t slope = PairOf<T>(activation.slope);  // at most 1
    for_each_word(
        [slope](uint32_t word) { return LargerPair<T>(word, ProductPair<T>(word, slope)); });
  } else {
    const auto slope = static_cast<Compute>(activation.slope);
    for_each_item([slope](Compute value) { return core::Activated(false, slope, value); });
  }
}

// Makes the gradient with respect to x of that with respect to a = act(x), if there is an
// activation.
template <typename T, int kVector>
__device__ __forceinline__ void ActivateGradient(const core::KernelActivation& activation,
                                                 const Vector<T, kVector>& a,
                                                 Vector<T, kVector>* gradient) {
  using Compute = core::ComputeType<T>;
  if (!activation.is_there) return;
  if constexpr (kHasWholePairs<T, kVector>) {
    const uint32_t slope = PairOf<T>(activation.slope);
#pragma unroll
    for (int w = 0; w < Vector<T, kVector>::kWords; ++w) {
      uint32_t& word = gradient->words[w];
      const uint32_t is_above = PositivePair<T>(a.words[w]);
      word = (word & is_above) | (ProductPair<T>(word, slope) & ~is_above);
    }
  } else {
    const auto slope = static_cast<Compute>(activation.slope);
    Compute values[kVector];
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      values[v] = ToCompute(gradient->Item(v)) * core::ActivationSlope(slope, ToCompute(a.Item(v)));
    }
    *gradient = RoundAll<T>(values);
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_ACTIVATION_CUH_
