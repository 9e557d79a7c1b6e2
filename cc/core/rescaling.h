// The rare slow path of float64: sums that overflow or vanish are taken again, over x times a power
// of two. The other types never need it, because they accumulate in double. Internal linkage: see
// core/float16.h.
#ifndef STATPOOL_CORE_RESCALING_H_
#define STATPOOL_CORE_RESCALING_H_

#include <cmath>

#include "cc/core/accumulators.h"
#include "cc/core/activation.h"
#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Whether a sum of squares, or each of a vector of them, has overflowed, or may have lost bits to
// subnormals.
template <typename V>
STATPOOL_HOST_DEVICE static inline auto IsOffScale(const V& power, double epsilon) {
  return (power - power != 0.0) | (power + epsilon < 0x1p-900);
}

// The power of two that brings the larger of max |x| and sqrt(epsilon) near 1.
STATPOOL_HOST_DEVICE static inline double ScaleFor(double largest, double epsilon) {
  const double root = std::sqrt(epsilon);
  const double magnitude = largest < root ? root : largest;
  if (!std::isfinite(magnitude) || magnitude == 0) return 1;
  const int exponent = -std::ilogb(magnitude);
  return std::ldexp(1.0, exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent);
}

// One channel of float64 input, to be read again.
struct ChannelSteps {
  const double* x;
  int64_t stride;    // from step to step
  const bool* mask;  // [T] or null
  int64_t end;       // steps from here on are padding
  KernelActivation activation;

  STATPOOL_HOST_DEVICE ChannelSteps(const ForwardBuffers& buffers, const Shape& shape,
                                    bool is_channels_last, const KernelActivation& of_x, int64_t b,
                                    int64_t c)
      : x(static_cast<const double*>(buffers.x) + b * shape.time * shape.channels +
          (is_channels_last ? c : c * shape.time)),
        stride(is_channels_last ? shape.channels : 1),
        mask(buffers.mask == nullptr ? nullptr : buffers.mask + b * shape.time),
        end(EndOfExample(buffers.lengths, b, shape.time)),
        activation(of_x) {}

  // Calls visit(act(x)) for every valid step, in the order of time.
  template <typename Visit>
  STATPOOL_HOST_DEVICE void ForEach(const Visit& visit) const {
    for (int64_t t = 0; t < end; ++t) {
      if (mask == nullptr || Keeps(mask, t)) visit(Activated(activation, x[t * stride]));
    }
  }

  // The sum of term(x * scale).
  template <typename Term>
  STATPOOL_HOST_DEVICE double Sum(double scale, const Term& term) const {
    double sum = 0;
    double error = 0;
    ForEach([&](double value) { AddCompensated(double{term(value * scale)}, &sum, &error); });
    return CompensatedValue(sum, error);
  }

  STATPOOL_HOST_DEVICE double Largest() const {
    double largest = 0;
    ForEach([&](double value) {
      const double magnitude = std::fabs(value);
      if (!(magnitude <= largest)) largest = magnitude;  // NaN stays
    });
    return largest;
  }
};

// A `Channel` for the formulas of core/values.h, but with sums of scaled values.
template <typename Channel>
class RescaledChannel : public Channel {
  static_assert(kSumCount == 5, "every sum that can leave the range of double is taken again");

 public:
  STATPOOL_HOST_DEVICE RescaledChannel(const Channel& channel, const ChannelSteps& steps, double n,
                                       const NeededSums& needed, double epsilon)
      : Channel(channel), n_(n), scale_(ScaleFor(steps.Largest(), epsilon)), epsilon_(epsilon) {
    sum_ = steps.Sum(scale_, [](double v) { return v; });
    if (needed.squares) squares_ = steps.Sum(scale_, [](double v) { return v * v; });
    if (needed.central) {
      const double mean = sum_ / n;
      const double rest = steps.Sum(scale_, [mean](double v) { return v - mean; }) / n;
      deviations_ = steps.Sum(scale_, [mean, rest](double v) {
        const double deviation = v - mean - rest;
        return deviation * deviation;
      });
      mean_residual_ = rest / scale_;
    }
  }

  STATPOOL_HOST_DEVICE double Steps() const { return n_; }
  STATPOOL_HOST_DEVICE double Sum() const { return sum_; }
  STATPOOL_HOST_DEVICE double Squares() const { return squares_; }
  STATPOOL_HOST_DEVICE double Deviations() const { return deviations_; }
  STATPOOL_HOST_DEVICE double MeanResidual() const { return mean_residual_; }
  STATPOOL_HOST_DEVICE double Unscaled(double value) const { return value / scale_; }

  // sqrt(power + epsilon) from the power of scaled values.
  STATPOOL_HOST_DEVICE double Root(double power) const {
    const double root = std::sqrt(epsilon_) * scale_;
    return std::sqrt(power + root * root) / scale_;
  }

 private:
  double n_;
  double scale_;
  double epsilon_;
  double sum_;
  double squares_ = 0;
  double deviations_ = 0;
  double mean_residual_ = 0;
};

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_RESCALING_H_
