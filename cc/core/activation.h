// The input activation: statistics and gradient are those of a = act(x), which has the dtype of x.
// A row of kActivations for each, its value in Activated and its slope in ActivationSlope. Internal
// linkage: see core/float16.h.
#ifndef STATPOOL_CORE_ACTIVATION_H_
#define STATPOOL_CORE_ACTIVATION_H_

#include <cstdint>

#include "cc/core/api.h"
#include "cc/core/host_device.h"
#include "cc/core/problem.h"

namespace statpool {
namespace core {

struct ActivationRow {
  const char* name;
  bool has_slope;     // below 0, given by the caller
  double zero_slope;  // the slope at 0 and below of those that have none
};

// Indexed by Activation.
constexpr ActivationRow kActivations[kActivationCount] = {
    {"none", false, 1},
    {"relu", false, 0},
    {"leaky_relu", true, 0},
};

constexpr const ActivationRow& RowOf(Activation activation) {
  return kActivations[static_cast<int>(activation)];
}

// a = act(x), where below 0 it is slope * x, or 0 if `is_relu`: also for -infinity. NaN stays NaN.
template <typename V, typename Slope>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V Activated(bool is_relu, Slope slope, const V& x) {
  const V below = is_relu ? V{} : V(x * slope);
  return x < V{} ? below : x;
}

// What the gradient with respect to a is multiplied by for that with respect to x.
template <typename V, typename Slope>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V ActivationSlope(Slope slope, const V& a) {
  return a > V{} ? V{} + Slope{1} : V{} + slope;
}

// The input activation as kernels take it.
struct KernelActivation {
  bool is_there;
  bool is_relu;
  double slope;  // at 0 and below, as the dtype of x holds it
};

STATPOOL_API KernelActivation KernelActivationOf(const Problem& problem);

template <typename V>
STATPOOL_HOST_DEVICE STATPOOL_INLINE V Activated(const KernelActivation& activation, const V& x) {
  return activation.is_there ? Activated(activation.is_relu, static_cast<V>(activation.slope), x)
                             : x;
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_ACTIVATION_H_
