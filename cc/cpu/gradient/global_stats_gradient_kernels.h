// Gradient: one more read of x, one write of dx.
//
// A unit owns a tile of channels of one example over one split of time, as in the forward pass. The
// coefficients of each channel are computed once, and repeated if rows are folded.
#ifndef STATPOOL_CPU_GRADIENT_GLOBAL_STATS_GRADIENT_KERNELS_H_
#define STATPOOL_CPU_GRADIENT_GLOBAL_STATS_GRADIENT_KERNELS_H_

#include "cc/cpu/gradient/gradient_coefficients.h"
#include "cc/cpu/gradient/gradient_rows.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/pack.h"
#include "cc/cpu/unit.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// ------------------------------------------------------------------------------------------------
// Steps

// `steps` consecutive valid steps of `width` channels; a row holds `fold` of them.
template <typename T>
void GradientSteps(const GradientArguments& a, T* dx, const T* x, int64_t steps, int64_t width,
                   int64_t stride, const CoefficientRows<core::ComputeType<T>>& coefficients) {
  const int64_t fold = a.plan.fold;
  const int64_t rows = steps / fold;
  const int64_t row_stride = stride * fold;
  GradientRows(dx, x, rows, width * fold, row_stride, a.streaming, coefficients);
  const int64_t done = rows * row_stride;
  const int64_t rest = steps % fold * width;
  if (rest > 0) GradientRows(dx + done, x + done, 1, rest, row_stride, false, coefficients);
}

// `steps` consecutive valid steps of one channel: a row up to the first aligned address, and one
// from there on.
template <typename T>
void GradientSteps(T* dx, const T* x, int64_t steps, bool streaming,
                   const CoefficientRows<core::ComputeType<T>>& coefficients) {
  const int64_t misaligned = reinterpret_cast<uintptr_t>(dx) % kVectorBytes / sizeof(T);
  const int64_t head =
      misaligned == 0 ? 0 : std::min<int64_t>(steps, kVectorBytes / sizeof(T) - misaligned);
  if (head > 0) GradientRows(dx, x, 1, head, 0, false, coefficients);
  GradientRows(dx + head, x + head, 1, steps - head, 0, streaming, coefficients);
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

// The end of the run of steps from t on whose mask is `keep`.
inline int64_t RunEnd(const bool* mask, bool keep, int64_t t, int64_t end) {
  while (t < end && core::Keeps(mask, t) == keep) ++t;
  return t;
}

// Steps of one channel of which a mask keeps some. Its runs may be too short for vectors, so all
// steps of a block are computed first, and then those that it drops are set to 0.
template <typename T>
void GradientMaskedSteps(T* dx, const T* x, const bool* mask, int64_t steps, bool streaming,
                         const CoefficientRows<core::ComputeType<T>>& coefficients) {
  constexpr int64_t kBlock = 512;
  for (int64_t t = 0; t < steps; t += kBlock) {
    const int64_t count = std::min(kBlock, steps - t);
    const int64_t kept = CountKept(mask + t, count);
    if (kept == 0) {
      ZeroSteps(dx + t, count, 1, 1);
      continue;
    }
    GradientSteps(dx + t, x + t, count, streaming && kept == count, coefficients);
    if (kept == count) continue;
    for (int64_t i = t; i < t + count; ++i) dx[i] = core::Keeps(mask, i) ? dx[i] : T{};
  }
}

// Steps [first_step, end_step) of `width` channels whose step t is at offset + t * stride. Steps
// from `end` on are padding.
template <typename T>
void GradientSlab(const GradientArguments& a, const Unit& unit, int64_t offset, int64_t width,
                  int64_t stride, int64_t end,
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
        GradientSteps(a, dx + t * stride, x + t * stride, run_end - t, width, stride, coefficients);
      } else {
        ZeroSteps(dx + t * stride, run_end - t, width, stride);
      }
      t = run_end;
    }
  } else if (mask == nullptr) {
    GradientSteps(dx + first, x + first, valid_end - first, a.streaming, coefficients);
  } else {
    GradientMaskedSteps(dx + first, x + first, mask + first, valid_end - first, a.streaming,
                        coefficients);
  }
  if (valid_end == unit.end_step) return;
  ZeroSteps(dx + valid_end * stride, unit.end_step - valid_end, width, stride);
}

// Whether rows consist of whole blocks, which folded ones may not, and there are enough of them to
// gain back the time that sorting the coefficients takes.
template <typename T>
bool PaysToDeinterleave(const Plan& plan, const Unit& unit) {
  constexpr int64_t kFewSteps = 32;
  return kCanDeinterleave<T> && plan.fold == 1 && unit.channels % (2 * kLanes<float>) == 0 &&
         unit.end_step - unit.first_step > kFewSteps;
}

// Units [begin, end), or the examples of packs.
template <typename T>
void GradientEach(const GradientArguments& a, int64_t begin, int64_t end,
                  CoefficientRows<core::ComputeType<T>>* coefficients) {
  const core::Shape& shape = a.problem.shape;
  for (int64_t index = begin; index < end; ++index) {
    const Unit unit = UnitOf(a.plan, shape, index);
    const int64_t example_end = core::EndOfExample(a.lengths, unit.b, shape.time);
    const int64_t example = unit.b * shape.time * shape.channels;
    const auto slab = [&](int64_t offset, int64_t width, int64_t stride) {
      GradientSlab<T>(a, unit, example + offset, width, stride, example_end, *coefficients);
    };
    if (a.plan.layout == core::Layout::kChannelsFirst) {
      FillCoefficients<T>(a, unit, kMaxFold, coefficients);
      coefficients->is_deinterleaved = kCanDeinterleave<T>;  // the lanes of a channel are all alike
      for (int64_t c = 0; c < unit.channels; ++c) {
        RepeatLane(kMaxFold + c, coefficients);
        slab((unit.first_channel + c) * shape.time, 1, 1);
      }
    } else {
      FillCoefficients<T>(a, unit, 0, coefficients);
      if (a.plan.fold > 1) RepeatLanes(unit.channels, a.plan.fold, coefficients);
      if (PaysToDeinterleave<T>(a.plan, unit)) {
        DeinterleaveLanes(unit.channels, coefficients);
      }
      slab(unit.first_channel, unit.channels, shape.channels);
    }
  }
}

// Tiny examples, side by side. Returns false if float isn't precise enough for all of them: whether
// it is for one must not depend on those beside it.
template <typename T>
__attribute__((noinline)) bool GradientPack(const GradientArguments& a, const Pack& pack,
                                            CoefficientRows<core::ComputeType<T>>* coefficients) {
  using Compute = core::ComputeType<T>;
  const int64_t time = a.problem.shape.time;
  T steps[kPackElements];
  PackedRows<Compute, core::kStatisticCount> upstream;  // or of T, which is no larger
  PackedRows<Compute, core::kSavedFieldCount> saved;
  const int64_t statistics = a.problem.statistics.size;
  if (sizeof(T) == 2 && a.problem.out_dtype == core::DType::kFloat32) {
    pack.ReadRows(a.upstream, statistics, reinterpret_cast<float*>(upstream.elements));
  } else {
    pack.ReadRows(a.upstream, statistics, reinterpret_cast<T*>(upstream.elements));
  }
  pack.ReadRows(a.saved, a.fields.size, saved.elements);
  pack.Prefetch<T>(a.upstream, statistics, 1);
  pack.Prefetch<Compute>(a.saved, a.fields.size, 1);
  GradientArguments packed = pack.ArgumentsOf(a);
  packed.upstream = upstream.elements;
  packed.saved = saved.elements;
  FillCoefficients<T>(packed, {0, 0, pack.width(), 0, 0, time}, 0, coefficients);
  if (sizeof(T) < 8 && !coefficients->is_narrow && !coefficients->terms.central) return false;
  const T* const x = pack.ReadSteps(a.x, steps);
  T* const dx = time == 1 ? pack.Part(static_cast<T*>(a.dx), time) : steps;
  GradientRows(dx, x, time, pack.width(), pack.width(), /*streaming=*/false, *coefficients);
  if (time > 1) pack.WriteSteps(steps, a.dx);
  return true;
}

template <typename T>
void GradientUnits(const GradientArguments& a, int64_t begin, int64_t end) {
  CoefficientRows<core::ComputeType<T>> coefficients;
  const int64_t examples = a.plan.examples_per_pack;
  if (examples == 1) return GradientEach<T>(a, begin, end, &coefficients);
  for (int64_t index = begin; index < end; ++index) {
    const Pack pack(a.problem, a.plan, index);
    const bool is_full = a.mask == nullptr && a.lengths == nullptr;
    if (is_full && GradientPack<T>(a, pack, &coefficients)) continue;
    GradientEach<T>(a, pack.first(), pack.end(), &coefficients);
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_GLOBAL_STATS_GRADIENT_KERNELS_H_
