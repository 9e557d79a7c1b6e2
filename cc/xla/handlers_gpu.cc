// The custom calls on a GPU, platform "CUDA": they enqueue on XLA's stream and return.
#include <cuda_runtime_api.h>

#include <string>

#include "cc/xla/handlers.h"
#include "cuda/global_stats_cuda.h"

namespace statpool {
namespace xla {
namespace {

using ffi::AnyBuffer;
using Stream = ffi::PlatformStream<cudaStream_t>;

ffi::Error AsError(cudaError_t error) {
  if (error == cudaSuccess) return ffi::Error::Success();
  return ffi::Error::Internal("statpool's kernel must launch, got " + cuda::DescribeError(error));
}

// The size of the workspace depends on the GPU, so the handler allocates it instead of getting it
// as a result. XLA frees it when the handler returns, in the order of the stream: the next kernel
// that gets this memory runs after those enqueued here.
ffi::Error GlobalStats(cudaStream_t stream, ffi::ScratchAllocator scratch, AnyBuffer x,
                       Optional mask_or_lengths, Optional lengths, Result y, Result saved,
                       OptionalResult, int32_t layout, double epsilon, Statistics statistics,
                       int32_t activation, double negative_slope) {
  const Call call = {x,      *y,      *saved,     nullptr,    mask_or_lengths, lengths,
                     layout, epsilon, statistics, activation, negative_slope};
  Arguments a;
  if (ffi::Error error = ReadCall(call, &a); error.failure()) return error;
  cuda::Device device;
  if (const cudaError_t error = cuda::CurrentDevice(&device); error != cudaSuccess) {
    return AsError(error);
  }
  core::ForwardBuffers buffers = ForwardBuffersOf(call, a);
  const cuda::ForwardPlan plan =
      cuda::MakeForwardPlan(a.problem, cuda::AlignmentOf(buffers), device);
  if (plan.workspace_bytes > 0) {
    constexpr size_t kAlignment = 16;  // the most that XLA accepts
    const std::optional<void*> memory = scratch.Allocate(plan.workspace_bytes, kAlignment);
    if (!memory.has_value()) {
      return ffi::Error(
          ffi::ErrorCode::kResourceExhausted,
          "statpool needs a workspace of " + std::to_string(plan.workspace_bytes) + " bytes");
    }
    buffers.workspace = *memory;
  }
  return AsError(cuda::LaunchGlobalStats(a.problem, plan, buffers, stream));
}

ffi::Error GlobalStatsGradient(cudaStream_t stream, AnyBuffer upstream, AnyBuffer x,
                               AnyBuffer saved, Optional mask_or_lengths, Optional lengths,
                               Result dx, int32_t layout, double epsilon, Statistics statistics,
                               int32_t activation, double negative_slope) {
  const Call call = {x,      upstream, saved,      &*dx,       mask_or_lengths, lengths,
                     layout, epsilon,  statistics, activation, negative_slope};
  Arguments a;
  if (ffi::Error error = ReadCall(call, &a); error.failure()) return error;
  cuda::Device device;
  if (const cudaError_t error = cuda::CurrentDevice(&device); error != cudaSuccess) {
    return AsError(error);
  }
  const core::GradientBuffers buffers = GradientBuffersOf(call, a);
  const cuda::LaunchPlan plan =
      cuda::MakeGradientPlan(a.problem, cuda::AlignmentOf(buffers), device);
  return AsError(cuda::LaunchGlobalStatsGradient(a.problem, plan, buffers, stream));
}

XLA_FFI_DEFINE_HANDLER(
    kGlobalStats, GlobalStats,
    BindGlobalStats(ffi::Ffi::Bind().Ctx<Stream>().Ctx<ffi::ScratchAllocator>()));
XLA_FFI_DEFINE_HANDLER(kGlobalStatsGradient, GlobalStatsGradient,
                       BindGlobalStatsGradient(ffi::Ffi::Bind().Ctx<Stream>()));

XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsTarget, "CUDA", kGlobalStats);
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsGradientTarget, "CUDA",
                         kGlobalStatsGradient);

}  // namespace
}  // namespace xla
}  // namespace statpool
