#include "cuda/global_stats_cuda.h"

#include <algorithm>

#include "cc/core/statistics.h"
#include "cuda/kernels.h"

namespace statpool {
namespace cuda {
namespace {

// Calls launch(T{}), where T is the storage type of x.
template <typename Launch>
cudaError_t LaunchFor(core::DType dtype, const Launch& launch) {
  switch (dtype) {
    case core::DType::kFloat16:
      return launch(core::Float16());
    case core::DType::kBFloat16:
      return launch(core::BFloat16());
    case core::DType::kFloat32:
      return launch(float());
    case core::DType::kFloat64:
      return launch(double());
  }
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t LaunchGlobalStats(const core::Problem& problem, const ForwardPlan& plan,
                              const core::ForwardBuffers& buffers, cudaStream_t stream) {
  if (plan.launch.grid == 0) return cudaSuccess;
  ForwardArguments a = {};
  static_cast<core::ForwardBuffers&>(a) = buffers;
  a.shape = problem.shape;
  a.epsilon = problem.epsilon;
  a.needs = core::NeedsOf(problem.statistics);
  a.planes = core::SavedPlanes(problem.statistics);
  std::fill_n(a.statistic_of, core::kPlaneCount, int8_t{-1});
  for (int i = 0; i < problem.statistics.size; ++i) {
    const core::Plane plane = core::PlaneOf(problem.statistics.items[i]);
    const auto* place = std::find(a.planes.items, a.planes.items + a.planes.size, plane);
    a.statistic_of[place - a.planes.items] = static_cast<int8_t>(i);
  }
  a.statistics = problem.statistics.size;
  a.is_y_float = problem.out_dtype == core::DType::kFloat32;
  a.is_channels_last = problem.layout == core::Layout::kChannelsLast;
  a.plan = plan.launch;
  return LaunchFor(problem.dtype, [&](auto of_type) {
    return LaunchForward<decltype(of_type)>(a, plan.join, stream);
  });
}

cudaError_t LaunchGlobalStatsGradient(const core::Problem& problem, const LaunchPlan& plan,
                                      const core::GradientBuffers& buffers, cudaStream_t stream) {
  if (plan.grid == 0) return cudaSuccess;
  GradientArguments a = {};
  static_cast<core::GradientBuffers&>(a) = buffers;
  a.shape = problem.shape;
  a.statistics = problem.statistics;
  a.terms = core::GradientTermsOf(problem.statistics);
  const core::PlaneList planes = core::SavedPlanes(problem.statistics);
  std::fill_n(a.place_of, core::kPlaneCount, int8_t{-1});
  for (int i = 0; i < planes.size; ++i) {
    a.place_of[static_cast<int>(planes.items[i])] = static_cast<int8_t>(i);
  }
  a.planes = planes.size;
  a.is_upstream_float = problem.out_dtype == core::DType::kFloat32;
  a.plan = plan;
  return LaunchFor(problem.dtype,
                   [&](auto of_type) { return LaunchGradient<decltype(of_type)>(a, stream); });
}

}  // namespace cuda
}  // namespace statpool
