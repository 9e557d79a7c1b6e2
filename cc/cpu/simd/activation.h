// The input activation (core/activation.h) of vectors and of rows.
#ifndef STATPOOL_CPU_SIMD_ACTIVATION_H_
#define STATPOOL_CPU_SIMD_ACTIVATION_H_

#include "cc/core/activation.h"
#include "cc/cpu/simd/rows.h"
#include "cc/cpu/simd/simd.h"
#include "cc/cpu/simd/storage.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// In place of LaneActivation where there is none.
struct NoActivation {
  static constexpr bool kIsThere = false;

  template <int N, typename V>
  STATPOOL_ALWAYS_INLINE V Value(const V& x) const {
    return x;
  }
  template <int N, typename V>
  STATPOOL_ALWAYS_INLINE V Gradient(const V& of_a, const V&) const {
    return of_a;
  }
};

template <typename T>
class LaneActivation {
 public:
  static constexpr bool kIsThere = true;
  using Compute = core::ComputeType<T>;

  explicit LaneActivation(const core::KernelActivation& activation)
      : is_relu_(activation.is_relu), slope_(static_cast<Compute>(activation.slope)) {}

  // act(x), rounded to T.
  template <int N>
  STATPOOL_ALWAYS_INLINE Vec<Compute, N> Value(const Vec<Compute, N>& x) const {
    const auto a = core::Activated(is_relu_, slope_, x);
    return is_relu_ ? a : AsStored<N>(a);
  }

  // The gradient with respect to x from that with respect to a = act(x), rounded to T in between.
  template <int N>
  STATPOOL_ALWAYS_INLINE Vec<Compute, N> Gradient(const Vec<Compute, N>& of_a,
                                                  const Vec<Compute, N>& a) const {
    const auto rounded = is_relu_ ? of_a : AsStored<N>(of_a);
    return rounded * core::ActivationSlope(slope_, a);
  }

 private:
  template <int N>
  static STATPOOL_ALWAYS_INLINE Vec<Compute, N> AsStored(const Vec<Compute, N>& value) {
    if constexpr (std::is_same_v<T, Compute>) return value;
    T stored[N];
    StoreRaw(Round<T, N>(value), stored);
    return Load<N>(stored);
  }

  const bool is_relu_;
  const Compute slope_;
};

// The bits of -infinity as an integer: those of negative numbers are not above it, those of NaN
// are.
template <typename T>
constexpr int16_t kLeastBits = std::is_same_v<T, core::Float16> ? -0x400 : -0x80;

// to[i] = act(from[i]), as stored values; both may be the same.
template <typename T>
void ActivateElements(const core::KernelActivation& activation, const T* from, int64_t count,
                      T* to) {
  const LaneActivation<T> activated(activation);
  const auto prefetch = [&](int64_t i, int64_t bytes) STATPOOL_ALWAYS_INLINE {
    if (IsFirstOfLine(i * sizeof(T), bytes)) PrefetchAhead(from + i);
  };
  if constexpr (sizeof(T) == 2) {
    if (activation.is_relu) {  // without a conversion
      ForLanes<kLanes<int16_t>>(count, [&](auto lanes, int64_t i) STATPOOL_ALWAYS_INLINE {
        using V = Vec<int16_t, decltype(lanes)::value>;
        prefetch(i, sizeof(V));
        const auto bits = LoadRaw<V>(from + i);
        StoreRaw(V(bits <= kLeastBits<T> ? V{} : bits), to + i);
      });
      return;
    }
  }
  ForLanes<kLanes<core::ComputeType<T>>>(count, [&](auto lanes, int64_t i) STATPOOL_ALWAYS_INLINE {
    constexpr int N = decltype(lanes)::value;
    prefetch(i, N * sizeof(T));
    StoreRaw(Round<T, N>(activated.template Value<N>(Load<N>(from + i))), to + i);
  });
}

// The same in place, if there is an activation.
template <typename T>
void ActivateCached(const core::KernelActivation& activation, int64_t count, T* elements) {
  if (activation.is_there) ActivateElements(activation, elements, count, elements);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_ACTIVATION_H_
