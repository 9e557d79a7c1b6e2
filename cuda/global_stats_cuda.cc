#include "cuda/global_stats_cuda.h"

#include <algorithm>

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
  a.activation = core::KernelActivationOf(problem);
  a.epsilon = problem.epsilon;
  a.needed = core::NeededSumsOf(problem.statistics);
  const core::SavedFieldList fields = core::SavedFieldsOf(problem.statistics);
  const int64_t channels = problem.shape.channels;
  for (int i = 0; i < core::kSavedFieldCount; ++i) {
    const int place = core::PlaceOf(static_cast<core::SavedField>(i), fields);
    a.saved_at[i] = place < 0 ? -1 : place * channels;
    a.y_at[i] = -1;
  }
  for (int i = 0; i < problem.statistics.size; ++i) {
    a.y_at[static_cast<int>(core::RowOf(problem.statistics.items[i]).value)] = i * channels;
  }
  a.saved_stride = fields.size * channels;
  a.y_stride = problem.statistics.size * channels;
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
  a.activation = core::KernelActivationOf(problem);
  std::fill_n(a.statistic_at, core::kStatisticCount, int8_t{-1});
  for (int i = 0; i < problem.statistics.size; ++i) {
    a.statistic_at[static_cast<int>(problem.statistics.items[i])] = static_cast<int8_t>(i);
  }
  a.statistics = problem.statistics.size;
  a.terms = core::GradientTermsOf(problem.statistics);
  const core::SavedFieldList fields = core::SavedFieldsOf(problem.statistics);
  for (int i = 0; i < core::kSavedFieldCount; ++i) {
    a.place_of[i] = static_cast<int8_t>(core::PlaceOf(static_cast<core::SavedField>(i), fields));
  }
  a.fields = fields.size;
  a.is_upstream_float = problem.out_dtype == core::DType::kFloat32;
  a.plan = plan;
  return LaunchFor(problem.dtype,
                   [&](auto of_type) { return LaunchGradient<decltype(of_type)>(a, stream); });
}

std::string DescribeError(cudaError_t error) {
  return std::string(cudaGetErrorName(error)) + " (" + cudaGetErrorString(error) + ")";
}

}  // namespace cuda
}  // namespace statpool
