// The launchers with plain C types, for tests to call from Python without TensorFlow.
#include "cc/core/statistics.h"
#include "cuda/device.h"
#include "cuda/global_stats_cuda.h"
#include "cuda/global_stats_gradient_cuda.h"

#define STATPOOL_EXPORT extern "C" __attribute__((visibility("default")))

namespace core = statpool::core;
namespace cuda = statpool::cuda;

// tests/cuda/launchers.py has the same.
struct Call {
  int64_t batch;
  int64_t time;
  int64_t channels;
  double epsilon;
  int32_t is_channels_first;
  int32_t dtype;
  int32_t out_dtype;
  int32_t multiprocessors;  // 0: those of the device
  int32_t statistics;
  int32_t statistic[core::kStatisticCount];
};

namespace {

core::Problem ProblemOf(const Call& call) {
  core::Problem problem = {};
  problem.shape = {call.batch, call.time, call.channels};
  problem.layout = static_cast<core::Layout>(call.is_channels_first);
  problem.epsilon = call.epsilon;
  problem.statistics.size = call.statistics;
  for (int i = 0; i < call.statistics; ++i) {
    problem.statistics.items[i] = static_cast<core::Statistic>(call.statistic[i]);
  }
  return problem;
}

core::DType DTypeOf(int32_t dtype) { return static_cast<core::DType>(dtype); }

cudaError_t DeviceOf(const Call& call, cuda::Device* device) {
  device->multiprocessors = call.multiprocessors;
  return call.multiprocessors > 0 ? cudaSuccess : cuda::CurrentDevice(device);
}

}  // namespace

STATPOOL_EXPORT int StatpoolPlanes(const Call* call) {
  return core::SavedPlanes(ProblemOf(*call).statistics).size;
}

// Negative: minus the error of a CUDA call.
STATPOOL_EXPORT int64_t StatpoolWorkspaceBytes(const Call* call) {
  cuda::Device device;
  const cudaError_t error = DeviceOf(*call, &device);
  if (error != cudaSuccess) return -static_cast<int64_t>(error);
  return cuda::GlobalStatsWorkspaceBytes(ProblemOf(*call), DTypeOf(call->dtype), device);
}

STATPOOL_EXPORT int StatpoolForward(void* y, void* saved, const void* x, const bool* mask,
                                    const int64_t* lengths, const Call* call, void* workspace) {
  cuda::Device device;
  const cudaError_t error = DeviceOf(*call, &device);
  if (error != cudaSuccess) return error;
  return cuda::LaunchGlobalStats(y, saved, x, mask, lengths, ProblemOf(*call), DTypeOf(call->dtype),
                                 DTypeOf(call->out_dtype), device, workspace,
                                 /*stream=*/nullptr);
}

STATPOOL_EXPORT int StatpoolGradient(void* dx, const void* upstream, const void* x,
                                     const void* saved, const bool* mask, const int64_t* lengths,
                                     const Call* call) {
  cuda::Device device;
  const cudaError_t error = DeviceOf(*call, &device);
  if (error != cudaSuccess) return error;
  return cuda::LaunchGlobalStatsGradient(dx, upstream, x, saved, mask, lengths, ProblemOf(*call),
                                         DTypeOf(call->dtype), DTypeOf(call->out_dtype), device,
                                         /*stream=*/nullptr);
}
