// From what the forward pass saved to the coefficients of the gradient formula of a channel.
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
  double value = 0;
  double scale = 0;  // what x is multiplied by first if kScaled

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

// The coefficients of a channel, as core::AddGradient collects them.
template <typename Compute>
struct Coefficients {
  double constant = 0;
  Slope<Compute> slope;
  Slope<Compute> central;
  double mean = 0;
  Compute max = 0;
  Compute max_share = 0;
  Compute min = 0;
  Compute min_share = 0;

  __device__ void AddConstant(double, double term) { constant += term; }

  __device__ void AddSlope(double g, double n, double root) { slope.Add(g, n, root); }

  __device__ void AddCentral(double g, double n, double root, double of_mean) {
    central.Add(g, n, root);
    mean = of_mean;
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
    *share = static_cast<Compute>(core::ExtremeShare(g, count));
  }
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

// What the forward pass saved of channel c of example b.
template <typename Compute>
struct SavedChannel {
  const GradientArguments& a;
  int64_t b;
  int64_t c;

  __device__ double At(core::SavedField field) const {
    const int64_t row = b * a.fields + a.place_of[static_cast<int>(field)];
    return static_cast<const Compute*>(a.saved)[row * a.shape.channels + c];
  }

  __device__ double Steps() const { return At(core::SavedField::kSteps); }
};

template <typename T>
__device__ __forceinline__ Coefficients<core::ComputeType<T>> CoefficientsOf(
    const GradientArguments& a, int64_t b, int64_t c) {
  const SavedChannel<core::ComputeType<T>> saved = {a, b, c};
  Coefficients<core::ComputeType<T>> coefficients;
  for (int i = 0; i < a.statistics.size; ++i) {
    const int64_t at = (b * a.statistics.size + i) * a.shape.channels + c;
    double g;
    if (sizeof(T) == 2 && a.is_upstream_float) {
      g = static_cast<const float*>(a.upstream)[at];
    } else {
      g = ToCompute(static_cast<const T*>(a.upstream)[at]);
    }
    core::AddGradient(a.statistics.items[i], g, saved, &coefficients);
  }
  return coefficients;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_COEFFICIENTS_CUH_
