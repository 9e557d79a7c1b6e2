// The kernels of one instruction set. CMake compiles this file once for each, with the flags of
// that set and STATPOOL_ISA, its name.
#include "cc/cpu/forward/global_stats_kernels.h"
#include "cc/cpu/gradient/global_stats_gradient_kernels.h"
#include "cc/cpu/instruction_set.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

template <typename T>
constexpr Kernels kKernels = {&ForwardUnits<T>, &JoinSplits<T>, &GradientUnits<T>};

}  // namespace

const Kernels& KernelsFor(core::DType dtype) {
  switch (dtype) {
    case core::DType::kFloat16:
      return kKernels<core::Float16>;
    case core::DType::kBFloat16:
      return kKernels<core::BFloat16>;
    case core::DType::kFloat32:
      return kKernels<float>;
    case core::DType::kFloat64:
      break;
  }
  return kKernels<double>;
}

}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool
