// The launchers with plain C types, for tests to call from Python without TensorFlow. They return
// CUDA's errors as numbers. `multiprocessors` is the device's to plan for, or 0 for the one at
// hand.
#include "cc/core/statistics.h"
#include "cuda/device.h"
#include "cuda/global_stats_cuda.h"
#include "tests/native_call.h"

#define STATPOOL_EXPORT extern "C" __attribute__((visibility("default")))

namespace core = statpool::core;
namespace cuda = statpool::cuda;
using statpool::tests::NativeCall;
using statpool::tests::ProblemOf;

namespace {

cudaError_t DeviceOf(int32_t multiprocessors, cuda::Device* device) {
  device->multiprocessors = multiprocessors;
  return multiprocessors > 0 ? cudaSuccess : cuda::CurrentDevice(device);
}

}  // namespace

STATPOOL_EXPORT int StatpoolPlanes(const NativeCall* call) {
  return core::SavedFieldsOf(ProblemOf(*call).statistics).size;
}

// Writes how large the workspace of a forward pass must be.
STATPOOL_EXPORT int StatpoolWorkspaceBytes(const NativeCall* call,
                                           const core::ForwardBuffers* buffers,
                                           int32_t multiprocessors, int64_t* bytes) {
  cuda::Device device;
  const cudaError_t error = DeviceOf(multiprocessors, &device);
  if (error != cudaSuccess) return error;
  *bytes =
      cuda::MakeForwardPlan(ProblemOf(*call), cuda::AlignmentOf(*buffers), device).workspace_bytes;
  return cudaSuccess;
}

STATPOOL_EXPORT int StatpoolForward(const NativeCall* call, const core::ForwardBuffers* buffers,
                                    int32_t multiprocessors) {
  cuda::Device device;
  const cudaError_t error = DeviceOf(multiprocessors, &device);
  if (error != cudaSuccess) return error;
  const core::Problem problem = ProblemOf(*call);
  const cuda::ForwardPlan plan =
      cuda::MakeForwardPlan(problem, cuda::AlignmentOf(*buffers), device);
  return cuda::LaunchGlobalStats(problem, plan, *buffers, /*stream=*/nullptr);
}

STATPOOL_EXPORT int StatpoolGradient(const NativeCall* call, const core::GradientBuffers* buffers,
                                     int32_t multiprocessors) {
  cuda::Device device;
  const cudaError_t error = DeviceOf(multiprocessors, &device);
  if (error != cudaSuccess) return error;
  const core::Problem problem = ProblemOf(*call);
  const cuda::LaunchPlan plan =
      cuda::MakeGradientPlan(problem, cuda::AlignmentOf(*buffers), device);
  return cuda::LaunchGlobalStatsGradient(problem, plan, *buffers, /*stream=*/nullptr);
}
