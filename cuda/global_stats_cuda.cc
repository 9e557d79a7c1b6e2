#include "cuda/global_stats_cuda.h"

#include <algorithm>

#include "cc/core/statistics.h"
#include "cuda/alignment.h"
#include "cuda/kernels.h"

namespace statpool {
namespace cuda {
namespace {

cudaError_t LaunchOf(core::DType dtype, const ForwardArguments& arguments, const JoinPlan& join,
                     cudaStream_t stream) {
  switch (dtype) {
    case core::DType::kFloat16:
      return LaunchForward<core::Float16>(arguments, join, stream);
    case core::DType::kBFloat16:
      return LaunchForward<core::BFloat16>(arguments, join, stream);
    case core::DType::kFloat32:
      return LaunchForward<float>(arguments, join, stream);
    case core::DType::kFloat64:
      return LaunchForward<double>(arguments, join, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace

int64_t GlobalStatsWorkspaceBytes(const core::Problem& problem, core::DType dtype,
                                  const Device& device) {
  return WorkspaceBytes(problem, dtype, device);
}

cudaError_t LaunchGlobalStats(void* y, void* saved, const void* x, const bool* mask,
                              const int64_t* lengths, const core::Problem& problem,
                              core::DType dtype, core::DType out_dtype, const Device& device,
                              void* workspace, cudaStream_t stream) {
  const ForwardPlan plan = MakeForwardPlan(problem, dtype, AlignmentOf(x), device);
  if (plan.launch.grid == 0) return cudaSuccess;
  ForwardArguments a = {};
  a.y = y;
  a.saved = saved;
  a.x = x;
  a.mask = mask;
  a.lengths = lengths;
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
  a.is_y_float = out_dtype == core::DType::kFloat32;
  a.is_channels_last = problem.layout == core::Layout::kChannelsLast;
  a.plan = plan.launch;
  a.partials = static_cast<char*>(workspace);
  return LaunchOf(dtype, a, plan.join, stream);
}

}  // namespace cuda
}  // namespace statpool
