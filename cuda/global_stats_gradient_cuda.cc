#include "cuda/global_stats_gradient_cuda.h"

#include <algorithm>

#include "cc/core/statistics.h"
#include "cuda/alignment.h"
#include "cuda/kernels.h"

namespace statpool {
namespace cuda {
namespace {

cudaError_t LaunchOf(core::DType dtype, const GradientArguments& arguments, cudaStream_t stream) {
  switch (dtype) {
    case core::DType::kFloat16:
      return LaunchGradient<core::Float16>(arguments, stream);
    case core::DType::kBFloat16:
      return LaunchGradient<core::BFloat16>(arguments, stream);
    case core::DType::kFloat32:
      return LaunchGradient<float>(arguments, stream);
    case core::DType::kFloat64:
      return LaunchGradient<double>(arguments, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t LaunchGlobalStatsGradient(void* dx, const void* upstream, const void* x,
                                      const void* saved, const bool* mask, const int64_t* lengths,
                                      const core::Problem& problem, core::DType dtype,
                                      core::DType out_dtype, const Device& device,
                                      cudaStream_t stream) {
  const int64_t alignment = std::min(AlignmentOf(x), AlignmentOf(dx));
  GradientArguments a = {};
  a.plan = MakeGradientPlan(problem, dtype, alignment, device);
  if (a.plan.grid == 0) return cudaSuccess;
  a.dx = dx;
  a.upstream = upstream;
  a.x = x;
  a.saved = saved;
  a.mask = mask;
  a.lengths = lengths;
  a.shape = problem.shape;
  a.statistics = problem.statistics;
  a.terms = core::GradientTermsOf(problem.statistics);
  const core::PlaneList planes = core::SavedPlanes(problem.statistics);
  std::fill_n(a.place_of, core::kPlaneCount, int8_t{-1});
  for (int i = 0; i < planes.size; ++i) {
    a.place_of[static_cast<int>(planes.items[i])] = static_cast<int8_t>(i);
  }
  a.planes = planes.size;
  a.is_upstream_float = out_dtype == core::DType::kFloat32;
  return LaunchOf(dtype, a, stream);
}

}  // namespace cuda
}  // namespace statpool
