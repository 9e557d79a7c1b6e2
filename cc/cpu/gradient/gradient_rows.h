// The row loops of the gradient: from x and the coefficients to dx.
#ifndef STATPOOL_CPU_GRADIENT_GRADIENT_ROWS_H_
#define STATPOOL_CPU_GRADIENT_GRADIENT_ROWS_H_

#include "cc/cpu/gradient/coefficient_rows.h"
#include "cc/cpu/simd/activation.h"
#include "cc/cpu/simd/rows.h"
#include "cc/cpu/simd/storage.h"
#include "cc/cpu/simd/streaming_store.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// constant + slope * x + central_slope * (x - mean - mean_rest), in double.
template <int N, typename Terms, typename Compute>
STATPOOL_INLINE Vec<Compute, N> SmoothLanes(const Vec<Compute, N>& v, const Terms& terms,
                                            const CoefficientRows<Compute>& coefficients,
                                            int64_t lane) {
  using D = Vec<double, kDoubleLanes<N>>;
  return NarrowParts<Compute, N>([&](auto part) STATPOOL_ALWAYS_INLINE {
    constexpr int kIndex = decltype(part)::value;
    const int64_t i = lane + kIndex * kDoubleLanes<N>;
    const D value = WidenPart<N, kIndex>(v);
    D smooth = terms.constant ? LoadRaw<D>(coefficients.constant + i) : D{};
    const auto add_slope = [&](const SlopeRows<Compute>& slope, const auto& of_x)
                               STATPOOL_ALWAYS_INLINE {
                                 D scale = {};
                                 if constexpr (SlopeRows<Compute>::kScaled)
                                   scale = LoadRaw<D>(slope.scale + i);
                                 smooth += LoadRaw<D>(slope.value + i) * of_x(scale);
                               };
    const auto scaled = [](const D& v, const D& scale) STATPOOL_ALWAYS_INLINE {
      return SlopeRows<Compute>::kScaled ? D(v * scale) : v;
    };
    if (terms.slope) {
      add_slope(coefficients.slope,
                [&](const D& scale) STATPOOL_ALWAYS_INLINE { return scaled(value, scale); });
    }
    if (terms.central) {
      add_slope(coefficients.central, [&](const D& scale) STATPOOL_ALWAYS_INLINE {
        const D mean = scaled(LoadRaw<D>(coefficients.mean + i), scale);
        const D distance = scaled(value, scale) - mean;
        if constexpr (!SlopeRows<Compute>::kScaled) return distance;
        return D(distance - scaled(LoadRaw<D>(coefficients.mean_rest + i), scale));
      });
    }
    return smooth;
  });
}

// constant + slope * x, in float.
template <int N, typename Terms>
STATPOOL_INLINE Vec<float, N> NarrowSmoothLanes(const Vec<float, N>& v, const Terms& terms,
                                                const CoefficientRows<float>& coefficients,
                                                int64_t i) {
  using V = Vec<float, N>;
  V smooth = terms.constant ? LoadRaw<V>(coefficients.constant_narrow + i) : V{};
  if (terms.slope) smooth += LoadRaw<V>(coefficients.slope_narrow + i) * v;
  return smooth;
}

// The gradient of N lanes of x.
template <int N, bool kNarrow, typename Terms, typename Compute>
STATPOOL_INLINE Vec<Compute, N> GradientLanes(const Vec<Compute, N>& v, const Terms& terms,
                                              const CoefficientRows<Compute>& coefficients,
                                              int64_t i) {
  using V = Vec<Compute, N>;
  const int64_t lane = i & coefficients.lane_mask;
  V result;
  if constexpr (kNarrow) {
    result = NarrowSmoothLanes<N>(v, terms, coefficients, lane);
  } else {
    result = SmoothLanes<N>(v, terms, coefficients, lane);
  }
  const auto add_share = [&](const Compute* extreme, const Compute* share) {
    result += (v == LoadRaw<V>(extreme + lane)) ? LoadRaw<V>(share + lane) : V{};
  };
  if (terms.max) add_share(coefficients.max, coefficients.max_share);
  if (terms.min) add_share(coefficients.min, coefficients.min_share);
  return result;
}

// Rows [0, rows), `stride` elements apart, one after the other: two at a time would share the loads
// of their coefficients, which cost nothing, but leave cache lines half written for longer, which
// costs time. Stores go around the caches in pieces of kStreamingBytes, to which every row must be
// aligned, or through the caches if that is 0. x is prefetched only if stores
// are whole lines, because a prefetch between the stores of a line would part them.
template <bool kNarrow, int kStreamingBytes, typename Terms, typename Activation, typename T,
          typename Compute>
STATPOOL_INLINE void GradientRowsOf(T* dx, const T* x, int64_t rows, int64_t width, int64_t stride,
                                    const Terms& terms, const Activation& activation,
                                    const CoefficientRows<Compute>& coefficients) {
  constexpr int kMost = kLanes<Compute>;
  constexpr bool kStreamsLines = kStreamingBytes == kCacheLine;
  const bool needs_x =
      Activation::kIsThere || terms.slope || terms.central || terms.max || terms.min;
  const auto gradient = [&](auto lanes, const auto& of_x, int64_t i) STATPOOL_ALWAYS_INLINE {
    constexpr int N = decltype(lanes)::value;
    const auto v = activation.template Value<N>(of_x);
    const auto of_v = GradientLanes<N, kNarrow>(v, terms, coefficients, i);
    return activation.template Gradient<N>(of_v, v);
  };
  if constexpr (kCanDeinterleave<T>) {
    if (coefficients.is_deinterleaved) {
      const int64_t whole = width / (2 * kMost) * (2 * kMost);
      for (int64_t row = 0; row < rows; ++row) {
        T* const to = dx + row * stride;
        const T* const from = x + row * stride;
        for (int64_t i = 0; i < whole; i += 2 * kMost) {
          if (kStreamsLines && needs_x) PrefetchAhead(from + i);
          Deinterleaved<kMost> v = {};
          if (needs_x) v = LoadDeinterleaved<kMost>(from + i);
          constexpr auto kLanesOfHalf = std::integral_constant<int, kMost>();
          v.even = gradient(kLanesOfHalf, v.even, i);
          v.odd = gradient(kLanesOfHalf, v.odd, i + kMost);
          StoreStreaming<kStreamingBytes>(RoundDeinterleaved<kMost>(v), to + i);
        }
      }
      if (whole == width) return;
      dx += whole;  // the lanes of the rest are all equal
      x += whole;
      width -= whole;
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    T* const to = dx + row * stride;
    const T* const from = x + row * stride;
    ForLanes<kMost>(width, [&](auto lanes, int64_t i) STATPOOL_ALWAYS_INLINE {
      constexpr int N = decltype(lanes)::value;
      if (kStreamsLines && needs_x && N * sizeof(T) == kCacheLine) PrefetchAhead(from + i);
      const auto v = needs_x ? Load<N>(from + i) : Vec<Compute, N>{};
      const auto result = gradient(lanes, v, i);
      constexpr int kBytes = N == kMost ? kStreamingBytes : 0;
      StoreStreaming<std::min<int>(kBytes, N * sizeof(T))>(Round<T, N>(result), to + i);
    });
  }
}

// Stores whole vectors if every row is aligned to them, else halves, or halves of those: channels
// may not fill whole vectors, and allocators place large arrays 16 bytes behind the start of a
// page.
template <bool kNarrow, int kStoreBytes = kVectorBytes, typename Terms, typename Activation,
          typename T, typename Compute>
void GradientRowsBy(T* dx, const T* x, int64_t rows, int64_t width, int64_t stride, bool streaming,
                    const Terms& terms, const Activation& activation,
                    const CoefficientRows<Compute>& coefficients) {
  if constexpr (kStoreBytes >= kLeastStreamingBytes) {
    const uintptr_t alignment = reinterpret_cast<uintptr_t>(dx) | stride * sizeof(T);
    if (streaming && alignment % kStoreBytes == 0) {
      GradientRowsOf<kNarrow, kStoreBytes>(dx, x, rows, width, stride, terms, activation,
                                           coefficients);
      StreamingFence();
      return;
    }
    GradientRowsBy<kNarrow, kStoreBytes / 2>(dx, x, rows, width, stride, streaming, terms,
                                             activation, coefficients);
  } else {
    GradientRowsOf<kNarrow, 0>(dx, x, rows, width, stride, terms, activation, coefficients);
  }
}

template <typename T, typename Compute>
void GradientRows(T* dx, const T* x, int64_t rows, int64_t width, int64_t stride, bool streaming,
                  const CoefficientRows<Compute>& coefficients) {
  const core::GradientTerms terms = coefficients.terms;
  constexpr bool can_be_narrow = std::is_same_v<Compute, float>;
  const auto with = [&](const auto& activation) {
    if (can_be_narrow == coefficients.is_narrow) {
      core::WithKnown<core::DefaultGradientTerms>(terms, [&](const auto& known) {
        GradientRowsBy<can_be_narrow>(dx, x, rows, width, stride, streaming, known, activation,
                                      coefficients);
      });
    } else {
      core::WithKnown<core::MeanStdGradientTerms>(terms, [&](const auto& known) {
        GradientRowsBy<false>(dx, x, rows, width, stride, streaming, known, activation,
                              coefficients);
      });
    }
  };
  if (coefficients.activation.is_there) return with(LaneActivation<T>(coefficients.activation));
  with(NoActivation());
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_GRADIENT_ROWS_H_
