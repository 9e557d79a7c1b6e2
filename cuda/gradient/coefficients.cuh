// Computes the coefficients of a channel in the gradient formula (core/gradient.h) from what the
// forward pass saved and from the upstream gradient.
#ifndef STATPOOL_CUDA_GRADIENT_COEFFICIENTS_CUH_
#define STATPOOL_CUDA_GRADIENT_COEFFICIENTS_CUH_

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cc/core/gradient.h"
#include "cuda/arguments.h"
#include "cuda/launch_plan.h"
#include "cuda/thread/for_each_index.cuh"
#include "cuda/thread/roots.cuh"
#include "cuda/thread/shared_slots.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// The type in which coefficients are computed.
template <typename Compute>
using Wide = std::conditional_t<std::is_same_v<Compute, double>, double, Quick>;

// A slope. In double, because an upstream of 1 over a norm of 1e-30 must stay finite.
template <typename Compute>
struct Slope {
  static constexpr bool kScaled = std::is_same_v<Compute, double>;
  double value = 0;
  double scale = 0;  // what x is multiplied by first if kScaled

  // Adds the slope g / (n * root). The scale of the first root serves a second one too, because l2
  // and rms differ by less than a factor of 2^32.
  __device__ void Add(double g, double n, double root) {
    if constexpr (kScaled) {
      if (scale == 0) scale = core::RootScale(root);
      value += core::RootSlope(g / n, root * scale);
    } else {
      value += core::RootSlope(Quick(g), Quick(n * root));
    }
  }

  // value * v.
  __device__ double At(double v) const { return value * (kScaled ? v * scale : v); }

  // value * (v - centre - rest), where rest is 0 unless kScaled.
  __device__ double At(double v, double centre, double rest) const {
    if constexpr (kScaled) return value * (v * scale - centre * scale - rest * scale);
    return value * (v - centre);
  }
};

// The coefficients of a channel, as core::AddGradient collects them.
template <typename Compute>
struct Coefficients {
  static_assert(core::kTermCount == 5, "every term has its numbers, and a line in ForEachNumber");
  double constant = 0;
  Slope<Compute> slope;
  Slope<Compute> central;
  double mean = 0;
  double mean_rest = 0;  // what rounding took from the mean of double; that of float fits in `mean`
  Compute max = 0;
  Compute max_share = Compute{-0.0f};  // the first share is added to -0 without an instruction
  Compute min = 0;
  Compute min_share = Compute{-0.0f};

  __device__ void AddConstant(double, double term) { constant += term; }

  __device__ void AddSlope(double g, double n, double root) { slope.Add(g, n, root); }

  __device__ void AddCentral(double g, double n, double root, double of_mean, double rest) {
    central.Add(g, n, root);
    mean = of_mean;
    (std::is_same_v<Compute, double> ? mean_rest : mean) += rest;
  }

  __device__ void AddMaximum(double g, double value, double count) {
    AddExtreme(g, value, count, &max, &max_share);
  }

  __device__ void AddMinimum(double g, double value, double count) {
    AddExtreme(g, value, count, &min, &min_share);
  }

  __device__ void AddExtreme(double g, double value, double count, Compute* extreme,
                             Compute* share) {
    constant += core::UnlessNan(value, 0.0);
    *extreme = static_cast<Compute>(value);
    *share +=
        static_cast<Compute>(double{core::ExtremeShare(Wide<Compute>(g), Wide<Compute>(count))});
  }
};

// Calls visit as ForEachNumber does, for the numbers of extremes.
template <typename Terms, typename Visit, typename CoefficientsType>
__host__ __device__ __forceinline__ constexpr void ForEachExtremeNumber(const Terms& terms,
                                                                        Visit&& visit,
                                                                        CoefficientsType* of) {
  constexpr Terms kMost = core::kMost<Terms>;
  if (kMost.max) {
    visit(terms.max, &of->max);
    visit(terms.max, &of->max_share);
  }
  if (kMost.min) {
    visit(terms.min, &of->min);
    visit(terms.min, &of->min_share);
  }
}

// Calls visit(whether a term needs it, &number) for every number that a kernel for Terms may need.
// Those of 8 bytes come first, so that arrays of all of them, one after the other, are aligned.
template <typename Terms, typename Visit, typename Compute>
__host__ __device__ __forceinline__ constexpr void ForEachNumber(const Terms& terms, Visit&& visit,
                                                                 Coefficients<Compute>* of) {
  constexpr Terms kMost = core::kMost<Terms>;
  const auto visit_slope = [&visit](bool is_needed, Slope<Compute>* slope) {
    visit(is_needed, &slope->value);
    if constexpr (Slope<Compute>::kScaled) visit(is_needed, &slope->scale);
  };
  if (kMost.constant) visit(terms.constant, &of->constant);
  if (kMost.slope) visit_slope(terms.slope, &of->slope);
  if (kMost.central) {
    visit_slope(terms.central, &of->central);
    visit(terms.central, &of->mean);
    if constexpr (std::is_same_v<Compute, double>) visit(terms.central, &of->mean_rest);
  }
  ForEachExtremeNumber(terms, visit, of);
}

// Bytes of a slot for the coefficients of a channel.
template <typename Compute, typename Terms>
constexpr int64_t kCoefficientBytes = CoefficientBytes(core::kMost<Terms>, sizeof(Compute));

template <typename Compute, typename Terms>
constexpr int64_t CountedBytes() {
  Coefficients<Compute> coefficients;
  int64_t bytes = 0;
  ForEachNumber(
      core::kMost<Terms>, [&bytes](bool, auto* number) { bytes += sizeof *number; }, &coefficients);
  return bytes;
}

// The same in float. The mean is two numbers: rounded, and what rounding took.
struct NarrowCoefficients {
  float constant = 0;
  float slope = 0;
  float central = 0;
  float mean = 0;
  float mean_rest = 0;
  float max = 0;
  float max_share = 0;
  float min = 0;
  float min_share = 0;

  NarrowCoefficients() = default;

  explicit __device__ __forceinline__ NarrowCoefficients(const Coefficients<float>& of)
      : constant(static_cast<float>(of.constant)),
        slope(static_cast<float>(of.slope.value)),
        central(static_cast<float>(of.central.value)),
        mean(static_cast<float>(of.mean)),
        mean_rest(static_cast<float>(of.mean - mean)),
        max(of.max),
        max_share(of.max_share),
        min(of.min),
        min_share(of.min_share) {}
};

template <typename Terms, typename Visit>
__device__ __forceinline__ void ForEachNumber(const Terms& terms, Visit&& visit,
                                              NarrowCoefficients* of) {
  constexpr Terms kMost = core::kMost<Terms>;
  if (kMost.constant) visit(terms.constant, &of->constant);
  if (kMost.slope) visit(terms.slope, &of->slope);
  if (kMost.central) {
    visit(terms.central, &of->central);
    visit(terms.central, &of->mean);
    visit(terms.central, &of->mean_rest);
  }
  ForEachExtremeNumber(terms, visit, of);
}

// The coefficients of the channels of a block in shared memory, of either kind: the slots have room
// for the wide ones.
template <typename Compute, typename Terms>
class CoefficientBuffer {
 public:
  explicit __device__ __forceinline__ CoefficientBuffer(void* bytes) : slots_(bytes) {}

  template <typename Of>
  __device__ __forceinline__ void Store(const Terms& terms, int32_t slot, Of of) {
    ForEachNumber(terms, slots_.Writer(slot), &of);
  }

  template <typename Of>
  __device__ __forceinline__ void Load(const Terms& terms, int32_t slot, Of* of) {
    ForEachNumber(terms, slots_.Reader(slot), of);
  }

 private:
  static_assert(CountedBytes<Compute, Terms>() == kCoefficientBytes<Compute, Terms>,
                "there is room for each number, and for no other");
  SharedSlots<kCoefficientBytes<Compute, Terms>> slots_;
};

// Whether a value, and its product with any x, loses no more than a rounding in float. NaN passes,
// because it stays NaN.
__device__ __forceinline__ bool IsModerate(double value) {
  const double magnitude = fabs(value);
  return !(magnitude > 0x1p100) && (!(magnitude < 0x1p-100) || magnitude == 0);
}

// Whether NarrowCoefficients of these lose no more than that.
template <typename Terms>
__device__ __forceinline__ bool AreModerate(const Coefficients<float>& of, const Terms& terms) {
  return (!terms.constant || IsModerate(of.constant)) &&
         (!terms.slope || IsModerate(of.slope.value)) &&
         (!terms.central || (IsModerate(of.central.value) && IsModerate(of.mean)));
}

// What the forward pass saved for a channel.
template <typename Compute>
struct SavedChannel {
  Compute fields[core::kSavedFieldCount];

  __device__ Wide<Compute> At(core::SavedField field) const {
    return double{fields[static_cast<int>(field)]};
  }
  __device__ Wide<Compute> Steps() const { return At(core::SavedField::kSteps); }
};

// Whether a kernel for Terms may meet a statistic in a call, which it does if it has all of its
// terms.
template <typename Terms>
constexpr bool MayMeet(int statistic) {
  return core::Contains(core::kMostFlags<Terms>, core::kStatistics[statistic].terms);
}

// Whether it may read a saved field.
template <typename Terms>
constexpr bool MayRead(int field) {
  for (int i = 0; i < core::kStatisticCount; ++i) {
    if (MayMeet<Terms>(i) && core::kStatistics[i].saved >> field & 1) return true;
  }
  return false;
}

// The coefficients of channel c of example b. All loads come first, so that they are in flight
// together.
template <typename T, typename Terms>
__device__ __forceinline__ Coefficients<core::ComputeType<T>> CoefficientsOf(
    const GradientArguments& a, int64_t b, int64_t c) {
  using Compute = core::ComputeType<T>;
  SavedChannel<Compute> saved = {};
  ForEachIndex<core::kSavedFieldCount>([&](auto i) {
    if constexpr (MayRead<Terms>(i)) {
      if (a.place_of[i] < 0) return;
      const int64_t row = b * a.fields + a.place_of[i];
      saved.fields[i] = static_cast<const Compute*>(a.saved)[row * a.shape.channels + c];
    }
  });
  Compute upstream[core::kStatisticCount] = {};
  ForEachIndex<core::kStatisticCount>([&](auto i) {
    if constexpr (MayMeet<Terms>(i)) {
      if (a.statistic_at[i] < 0) return;
      const int64_t at = (b * a.statistics + a.statistic_at[i]) * a.shape.channels + c;
      if (sizeof(T) == 2 && a.is_upstream_float) {
        upstream[i] = static_cast<const float*>(a.upstream)[at];
      } else {
        upstream[i] = ToCompute(static_cast<const T*>(a.upstream)[at]);
      }
    }
  });
  Coefficients<Compute> coefficients;
  ForEachIndex<core::kStatisticCount>([&](auto i) {
    if constexpr (MayMeet<Terms>(i)) {
      if (a.statistic_at[i] < 0) return;
      core::AddGradient(static_cast<core::Statistic>(i.value), Wide<Compute>(upstream[i]), saved,
                        &coefficients);
    }
  });
  return coefficients;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GRADIENT_COEFFICIENTS_CUH_
