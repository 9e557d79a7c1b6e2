// The launchers with plain C types, for tests to call from Python without TensorFlow. They return
// CUDA's errors as numbers. `multiprocessors` is the device's to plan for, or 0 for the one at
// hand; a null `stream` is the default one.
#include "cc/core/statistics.h"
#include "cuda/device.h"
#include "cuda/global_stats_cuda.h"
#include "cuda/lengths.h"
#include "tests/native/native_call.h"

#define STATPOOL_EXPORT extern "C" __attribute__((visibility("default")))

namespace core = statpool::core;
namespace cuda = statpool::cuda;
using statpool::tests::NativeCall;
using statpool::tests::ProblemOf;

namespace {

// Returns call(device), or why there is no device.
template <typename Call>
cudaError_t OnDevice(int32_t multiprocessors, const Call& call) {
  cuda::Device device = {multiprocessors};
  if (multiprocessors == 0) {
    if (const cudaError_t error = cuda::CurrentDevice(&device); error != cudaSuccess) return error;
  }
  return call(device);
}

}  // namespace

STATPOOL_EXPORT int StatpoolPlanes(const NativeCall* call) {
  return core::SavedFieldsOf(ProblemOf(*call).statistics).size;
}

// Writes how large the workspace of a forward pass must be.
STATPOOL_EXPORT int StatpoolWorkspaceBytes(const NativeCall* call,
                                           const core::ForwardBuffers* buffers,
                                           int32_t multiprocessors, int64_t* bytes) {
  return OnDevice(multiprocessors, [&](const cuda::Device& device) {
    *bytes = cuda::MakeForwardPlan(ProblemOf(*call), cuda::AlignmentOf(*buffers), device)
                 .workspace_bytes;
    return cudaSuccess;
  });
}

STATPOOL_EXPORT int StatpoolForward(const NativeCall* call, const core::ForwardBuffers* buffers,
                                    int32_t multiprocessors, cudaStream_t stream) {
  const core::Problem problem = ProblemOf(*call);
  return OnDevice(multiprocessors, [&](const cuda::Device& device) {
    const auto plan = cuda::MakeForwardPlan(problem, cuda::AlignmentOf(*buffers), device);
    return cuda::LaunchGlobalStats(problem, plan, *buffers, stream);
  });
}

STATPOOL_EXPORT int StatpoolGradient(const NativeCall* call, const core::GradientBuffers* buffers,
                                     int32_t multiprocessors, cudaStream_t stream) {
  const core::Problem problem = ProblemOf(*call);
  return OnDevice(multiprocessors, [&](const cuda::Device& device) {
    const auto plan = cuda::MakeGradientPlan(problem, cuda::AlignmentOf(*buffers), device);
    return cuda::LaunchGlobalStatsGradient(problem, plan, *buffers, stream);
  });
}

STATPOOL_EXPORT int StatpoolStoreLengths(const int64_t* lengths, int64_t size, int64_t* on_device,
                                         cudaStream_t stream) {
  return cuda::StoreLengths(lengths, size, on_device, stream);
}
