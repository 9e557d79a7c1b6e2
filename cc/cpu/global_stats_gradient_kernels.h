// Gradient: one more read of x, one write of dx.
//
// One unit owns a tile of channels of one example over one split of time, as in the forward pass.
// The coefficients of each channel are computed once; where rows are folded they are repeated.
#ifndef STATPOOL_CPU_GLOBAL_STATS_GRADIENT_KERNELS_H_
#define STATPOOL_CPU_GLOBAL_STATS_GRADIENT_KERNELS_H_

#include "cc/cpu/coefficient_rows.h"
#include "cc/cpu/gradient_coefficients.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/rows.h"
#include "cc/cpu/storage.h"
#include "cc/cpu/streaming_store.h"
#include "cc/cpu/unit.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// ------------------------------------------------------------------------------------------------
// Rows

// constant + slope * x + central_slope * (x - mean), in double.
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
    const auto add_slope = [&](const SlopeRows<Compute>& slope, const D& centre)
                               STATPOOL_ALWAYS_INLINE {
                                 const D factor = LoadRaw<D>(slope.value + i);
                                 if constexpr (SlopeRows<Compute>::kScaled) {
                                   const D scale = LoadRaw<D>(slope.scale + i);
                                   smooth += factor * (value * scale - centre * scale);
                                 } else {
                                   smooth += factor * (value - centre);
                                 }
                               };
    if (terms.slope) add_slope(coefficients.slope, D{});
    if (terms.central) add_slope(coefficients.central, LoadRaw<D>(coefficients.mean + i));
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

// What a row loop computes with, and how it writes: around the caches in pieces of
// kStreamingBytes, to which every row is aligned, or through them where that is 0.
template <bool kIsNarrow, int kBytes>
struct RowMode {
  static constexpr bool kNarrow = kIsNarrow;
  static constexpr int kStreamingBytes = kBytes;
};

// Rows are done one after the other: two side by side would share the loads of their coefficients,
// which cost nothing, and leave cache lines half written for longer, which does.
template <int N, typename Mode, typename Terms, typename T, typename Compute>
STATPOOL_INLINE void GradientLanes(T* dx, const T* x, const Terms& terms,
                                   const CoefficientRows<Compute>& coefficients, int64_t i) {
  using V = Vec<Compute, N>;
  const bool needs_x = terms.slope || terms.central || terms.max || terms.min;
  const V v = needs_x ? Load<N>(x + i) : V{};
  const int64_t lane = i & coefficients.lane_mask;
  V result;
  if constexpr (Mode::kNarrow) {
    result = NarrowSmoothLanes<N>(v, terms, coefficients, lane);
  } else {
    result = SmoothLanes<N>(v, terms, coefficients, lane);
  }
  const auto add_share = [&](const Compute* extreme, const Compute* share) {
    result += (v == LoadRaw<V>(extreme + lane)) ? LoadRaw<V>(share + lane) : V{};
  };
  if (terms.max) add_share(coefficients.max, coefficients.max_share);
  if (terms.min) add_share(coefficients.min, coefficients.min_share);
  if constexpr (Mode::kStreamingBytes > 0 && N == kLanes<Compute>) {
    StoreStreaming<Mode::kStreamingBytes>(Round<T, N>(result), dx + i);
  } else {
    StoreRaw(Round<T, N>(result), dx + i);
  }
}

// Rows [0, rows), `stride` elements apart. What exceeds the caches is asked for ahead where a
// vector is a line; in the midst of a line, that would part its stores.
template <typename Mode, typename Terms, typename T, typename Compute>
STATPOOL_INLINE void GradientRowsOf(T* dx, const T* x, int64_t rows, int64_t width, int64_t stride,
                                    const Terms& terms,
                                    const CoefficientRows<Compute>& coefficients) {
  for (int64_t row = 0; row < rows; ++row) {
    T* const to = dx + row * stride;
    const T* const from = x + row * stride;
    ForLanes<kLanes<Compute>>(width, [&](auto lanes, int64_t i) STATPOOL_ALWAYS_INLINE {
      constexpr int N = decltype(lanes)::value;
      constexpr bool kIsLine = N * sizeof(T) == kCacheLine;
      if (Mode::kStreamingBytes > 0 && kIsLine) PrefetchAhead(from + i);
      GradientLanes<N, Mode>(to, from, terms, coefficients, i);
    });
  }
}

template <bool kNarrow, typename Terms, typename T, typename Compute>
void GradientRowsBy(T* dx, const T* x, int64_t rows, int64_t width, int64_t stride, bool streaming,
                    const Terms& terms, const CoefficientRows<Compute>& coefficients) {
  constexpr int kStoreBytes = kLanes<Compute> * sizeof(T);
  const auto is_aligned = [&](int bytes) {
    return reinterpret_cast<uintptr_t>(dx) % bytes == 0 && stride * sizeof(T) % bytes == 0;
  };
  if (streaming && is_aligned(kStoreBytes)) {
    GradientRowsOf<RowMode<kNarrow, kStoreBytes>>(dx, x, rows, width, stride, terms, coefficients);
  } else if (streaming && is_aligned(kLeastStreamingBytes)) {
    // As allocators place large arrays: 16 bytes of their own after the start of a page.
    constexpr int kPiece = std::min(kStoreBytes, kLeastStreamingBytes);
    GradientRowsOf<RowMode<kNarrow, kPiece>>(dx, x, rows, width, stride, terms, coefficients);
  } else {
    GradientRowsOf<RowMode<kNarrow, 0>>(dx, x, rows, width, stride, terms, coefficients);
  }
  if (streaming) StreamingFence();
}

template <typename T, typename Compute>
void GradientRows(T* dx, const T* x, int64_t rows, int64_t width, int64_t stride, bool streaming,
                  const core::GradientTerms& terms, const CoefficientRows<Compute>& coefficients) {
  constexpr bool can_be_narrow = std::is_same_v<Compute, float>;
  if (can_be_narrow == coefficients.is_narrow) {
    core::WithKnown<core::DefaultGradientTerms>(terms, [&](const auto& known) {
      GradientRowsBy<can_be_narrow>(dx, x, rows, width, stride, streaming, known, coefficients);
    });
  } else {
    core::WithKnown<core::MeanStdGradientTerms>(terms, [&](const auto& known) {
      GradientRowsBy<false>(dx, x, rows, width, stride, streaming, known, coefficients);
    });
  }
}

// `steps` valid steps of `width` channels that follow one another; rows hold `fold` of them.
template <typename T>
void GradientSteps(const GradientArguments& a, T* dx, const T* x, int64_t steps, int64_t width,
                   int64_t stride, const core::GradientTerms& terms,
                   const CoefficientRows<core::ComputeType<T>>& coefficients) {
  const int64_t fold = a.plan.fold;
  const int64_t rows = steps / fold;
  const int64_t row_stride = stride * fold;
  GradientRows(dx, x, rows, width * fold, row_stride, a.streaming, terms, coefficients);
  const int64_t done = rows * row_stride;
  const int64_t rest = steps % fold * width;
  if (rest > 0) GradientRows(dx + done, x + done, 1, rest, row_stride, false, terms, coefficients);
}

// `steps` valid steps of one channel, side by side: a single row, whose first lanes align it.
template <typename T>
void GradientSteps(T* dx, const T* x, int64_t steps, bool streaming,
                   const core::GradientTerms& terms,
                   const CoefficientRows<core::ComputeType<T>>& coefficients) {
  const int64_t misaligned = reinterpret_cast<uintptr_t>(dx) % kVectorBytes / sizeof(T);
  const int64_t head =
      misaligned == 0 ? 0 : std::min<int64_t>(steps, kVectorBytes / sizeof(T) - misaligned);
  if (head > 0) GradientRows(dx, x, 1, head, 0, false, terms, coefficients);
  GradientRows(dx + head, x + head, 1, steps - head, 0, streaming, terms, coefficients);
}

template <typename T>
void ZeroSteps(T* dx, int64_t steps, int64_t width, int64_t stride) {
  if (width == stride) {
    std::memset(dx, 0, steps * width * sizeof(T));
    return;
  }
  for (int64_t t = 0; t < steps; ++t) std::memset(dx + t * stride, 0, width * sizeof(T));
}

// ------------------------------------------------------------------------------------------------
// Units

// The first step from t on, below end, whose mask differs from keep.
inline int64_t RunEnd(const bool* mask, bool keep, int64_t t, int64_t end) {
  while (t < end && core::Keeps(mask, t) == keep) ++t;
  return t;
}

// Steps of one channel of which a mask keeps some. The runs that it keeps may be too short for
// vectors: all steps are computed, a block at a time, and those that it drops set to 0 then.
template <typename T>
void GradientMaskedSteps(T* dx, const T* x, const bool* mask, int64_t steps, bool streaming,
                         const core::GradientTerms& terms,
                         const CoefficientRows<core::ComputeType<T>>& coefficients) {
  constexpr int64_t kBlock = 512;
  for (int64_t t = 0; t < steps; t += kBlock) {
    const int64_t count = std::min(kBlock, steps - t);
    const int64_t kept = CountKept(mask + t, count);
    if (kept == 0) {
      ZeroSteps(dx + t, count, 1, 1);
      continue;
    }
    GradientSteps(dx + t, x + t, count, streaming && kept == count, terms, coefficients);
    if (kept == count) continue;
    for (int64_t i = t; i < t + count; ++i) dx[i] = core::Keeps(mask, i) ? dx[i] : T{};
  }
}

// Steps [first_step, end_step) of a slab whose step t lies at t * stride.
template <typename T>
void GradientSlab(const GradientArguments& a, const Unit& unit, int64_t offset, int64_t width,
                  int64_t stride, int64_t end, const core::GradientTerms& terms,
                  const CoefficientRows<core::ComputeType<T>>& coefficients) {
  T* const dx = static_cast<T*>(a.dx) + offset;
  const T* const x = static_cast<const T*>(a.x) + offset;
  const bool* const mask = a.mask == nullptr ? nullptr : a.mask + unit.b * a.problem.shape.time;
  const int64_t first = unit.first_step;
  const int64_t valid_end = std::clamp(end, first, unit.end_step);
  if (a.plan.layout == core::Layout::kChannelsLast) {
    for (int64_t t = first; t < valid_end;) {
      const bool keep = mask == nullptr || core::Keeps(mask, t);
      const int64_t run_end = mask == nullptr ? valid_end : RunEnd(mask, keep, t, valid_end);
      if (keep) {
        GradientSteps(a, dx + t * stride, x + t * stride, run_end - t, width, stride, terms,
                      coefficients);
      } else {
        ZeroSteps(dx + t * stride, run_end - t, width, stride);
      }
      t = run_end;
    }
  } else if (mask == nullptr) {
    GradientSteps(dx + first, x + first, valid_end - first, a.streaming, terms, coefficients);
  } else {
    GradientMaskedSteps(dx + first, x + first, mask + first, valid_end - first, a.streaming, terms,
                        coefficients);
  }
  if (valid_end == unit.end_step) return;
  ZeroSteps(dx + valid_end * stride, unit.end_step - valid_end, width, stride);
}

template <typename T>
void GradientUnits(const GradientArguments& a, int64_t begin, int64_t end) {
  const core::Shape& shape = a.problem.shape;
  const core::GradientTerms terms = core::GradientTermsOf(a.problem.statistics);
  CoefficientRows<core::ComputeType<T>> coefficients;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = UnitOf(a.plan, shape, index);
    const int64_t example_end = core::EndOfExample(a.lengths, unit.b, shape.time);
    const int64_t example = unit.b * shape.time * shape.channels;
    const auto slab = [&](int64_t offset, int64_t width, int64_t stride) {
      GradientSlab<T>(a, unit, example + offset, width, stride, example_end, terms, coefficients);
    };
    if (a.plan.layout == core::Layout::kChannelsFirst) {
      FillCoefficients<T>(a, terms, unit, kMaxFold, &coefficients);
      for (int64_t c = 0; c < unit.channels; ++c) {
        RepeatLanes(terms, kMaxFold + c, 1, kMaxFold, &coefficients);
        slab((unit.first_channel + c) * shape.time, 1, 1);
      }
    } else {
      FillCoefficients<T>(a, terms, unit, 0, &coefficients);
      if (a.plan.fold > 1) RepeatLanes(terms, 0, unit.channels, a.plan.fold, &coefficients);
      slab(unit.first_channel, unit.channels, shape.channels);
    }
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GLOBAL_STATS_GRADIENT_KERNELS_H_
