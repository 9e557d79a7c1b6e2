#include "cc/core/activation.h"

#include "cc/core/float16.h"

namespace statpool {
namespace core {
namespace {

template <typename T>
double RoundedTo(double value) {
  T rounded;
  StoreRounded(value, &rounded);
  return static_cast<double>(ToCompute(rounded));
}

double RoundedTo(DType dtype, double value) {
  switch (dtype) {
    case DType::kFloat16:
      return RoundedTo<Float16>(value);
    case DType::kBFloat16:
      return RoundedTo<BFloat16>(value);
    case DType::kFloat32:
      return RoundedTo<float>(value);
    case DType::kFloat64:
      break;
  }
  return value;
}

}  // namespace

KernelActivation KernelActivationOf(const Problem& problem) {
  const InputActivation& activation = problem.activation;
  const ActivationRow& row = RowOf(activation.kind);
  const double slope =
      row.has_slope ? RoundedTo(problem.dtype, activation.negative_slope) : row.zero_slope;
  // A slope that rounds to 0 makes relu of leaky_relu.
  return {activation.kind != Activation::kNone, slope == 0, slope};
}

}  // namespace core
}  // namespace statpool
