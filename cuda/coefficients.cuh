// The coefficients of the gradient formula of one lane, as core/gradient.h defines them.
#ifndef STATPOOL_CUDA_COEFFICIENTS_CUH_
#define STATPOOL_CUDA_COEFFICIENTS_CUH_

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "cc/core/gradient.h"
#include "cuda/arguments.h"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// A slope in double: a norm of 1e-30 under an upstream of 1 stays finite.
template <typename Compute>
struct Slope {
  static constexpr bool kScaled = std::is_same_v<Compute, double>;
  double value;
  double scale;  // what x is multiplied by first; 1 unless kScaled

  __device__ void Clear() {
    value = 0;
    scale = 0;
  }

  // Adds the slope g / (n * root). The scale that suits the first root serves a second one: l2 and
  // rms differ by less than a factor of 2^32.
  __device__ void Add(double g, double n, double root) {
    if constexpr (kScaled) {
      if (scale == 0) scale = core::RootScale(root);
      value += core::RootSlope(g / n, root * scale);
    } else {
      value += core::RootSlope(g, n * root);
    }
  }

  // value * (v - centre).
  __device__ double At(double v, double centre) const {
    if constexpr (kScaled) return value * (v * scale - centre * scale);
    return value * (v - centre);
  }
};

template <typename Compute>
struct Coefficients {
  double constant;
  Slope<Compute> slope;
  Slope<Compute> central;
  double mean;
  Compute max;
  Compute max_share;
  Compute min;
  Compute min_share;
};

// constant and slope in float.
struct NarrowCoefficients {
  float constant;
  float slope;
};

// Whether a value and its product with any x lose no more than a rounding each in float. NaN may
// pass: it stays NaN.
__device__ __forceinline__ bool IsModerate(double value) {
  const double magnitude = fabs(value);
  return !(magnitude > 0x1p100) && (!(magnitude < 0x1p-100) || magnitude == 0);
}

// The coefficients of channel c of example b.
template <typename T>
__device__ __forceinline__ Coefficients<core::ComputeType<T>> CoefficientsOf(
    const GradientArguments& a, int64_t b, int64_t c) {
  using Compute = core::ComputeType<T>;
  const int64_t channels = a.shape.channels;
  const auto load = [&](core::Plane plane) {
    const int64_t row = b * a.planes + a.place_of[static_cast<int>(plane)];
    return static_cast<double>(static_cast<const Compute*>(a.saved)[row * channels + c]);
  };
  Coefficients<Compute> to;
  to.constant = 0;
  to.slope.Clear();
  to.central.Clear();
  to.mean = 0;
  to.max = to.max_share = to.min = to.min_share = 0;
  for (int i = 0; i < a.statistics.size; ++i) {
    const int64_t at = (b * a.statistics.size + i) * channels + c;
    double g;
    if (sizeof(T) == 2 && a.is_upstream_float) {
      g = static_cast<const float*>(a.upstream)[at];
    } else {
      g = ToCompute(static_cast<const T*>(a.upstream)[at]);
    }
    const auto add_extreme = [&](core::Plane value, core::Plane ties, Compute* extreme,
                                 Compute* share) {
      const double plane = load(value);
      *extreme = static_cast<Compute>(plane);
      *share = static_cast<Compute>(core::ExtremeShare(g, load(ties)));
      to.constant += core::ExtremeConstant(plane);
    };
    switch (a.statistics.items[i]) {
      case core::Statistic::kMean:
        to.constant += core::MeanConstant(g, load(core::Plane::kMean), load(core::Plane::kSteps));
        break;
      case core::Statistic::kMax:
        add_extreme(core::Plane::kMax, core::Plane::kMaxCount, &to.max, &to.max_share);
        break;
      case core::Statistic::kMin:
        add_extreme(core::Plane::kMin, core::Plane::kMinCount, &to.min, &to.min_share);
        break;
      case core::Statistic::kL2:
        to.slope.Add(g, 1, load(core::Plane::kL2));
        break;
      case core::Statistic::kRms:
        to.slope.Add(g, load(core::Plane::kSteps), load(core::Plane::kRms));
        break;
      case core::Statistic::kStd:
        to.central.Add(g, load(core::Plane::kSteps), load(core::Plane::kStd));
        to.mean = load(core::Plane::kMean) + load(core::Plane::kMeanResidual);
        break;
    }
  }
  return to;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_COEFFICIENTS_CUH_
