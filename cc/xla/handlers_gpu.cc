// What the custom calls do on a GPU, platform "CUDA": they enqueue on XLA's stream and return.
#include <cuda_runtime_api.h>

#include <string>

#include "cc/xla/arguments.h"
#include "cc/xla/custom_call.h"
#include "cuda/global_stats_cuda.h"
#include "cuda/global_stats_gradient_cuda.h"

namespace statpool {
namespace xla {
namespace {

using ffi::AnyBuffer;
using Result = ffi::Result<AnyBuffer>;

ffi::Error AsError(cudaError_t error) {
  if (error == cudaSuccess) return ffi::Error::Success();
  return ffi::Error::Internal(std::string("statpool's kernel must launch, got CUDA error '") +
                              cudaGetErrorString(error) + "'");
}

// XLA frees the workspace when the handler returns, in the order of the stream: whoever gets that
// memory next runs after the kernels enqueued here.
ffi::Error GlobalStats(cudaStream_t stream, ffi::ScratchAllocator scratch, AnyBuffer x,
                       Optional first, Optional second, Result y, Result saved, int32_t layout,
                       double epsilon, Statistics statistics) {
  Arguments a;
  const Call call = {x, *y, *saved, nullptr, first, second, layout, epsilon, statistics};
  if (ffi::Error error = ReadCall(call, &a); error.failure()) return error;
  cuda::Device device;
  if (const cudaError_t error = cuda::CurrentDevice(&device); error != cudaSuccess) {
    return AsError(error);
  }
  const int64_t bytes = cuda::GlobalStatsWorkspaceBytes(a.problem, a.dtype, device);
  void* workspace = nullptr;
  if (bytes > 0) {
    constexpr size_t kAlignment = 16;  // the most that XLA accepts
    const std::optional<void*> memory = scratch.Allocate(bytes, kAlignment);
    if (!memory.has_value()) {
      return ffi::Error(ffi::ErrorCode::kResourceExhausted,
                        "statpool needs a workspace of " + std::to_string(bytes) + " bytes");
    }
    workspace = *memory;
  }
  return AsError(cuda::LaunchGlobalStats(y->untyped_data(), saved->untyped_data(), x.untyped_data(),
                                         a.mask, a.lengths, a.problem, a.dtype, a.out_dtype, device,
                                         workspace, stream));
}

ffi::Error GlobalStatsGradient(cudaStream_t stream, AnyBuffer upstream, AnyBuffer x,
                               AnyBuffer saved, Optional first, Optional second, Result dx,
                               int32_t layout, double epsilon, Statistics statistics) {
  Arguments a;
  const Call call = {x, upstream, saved, &*dx, first, second, layout, epsilon, statistics};
  if (ffi::Error error = ReadCall(call, &a); error.failure()) return error;
  cuda::Device device;
  if (const cudaError_t error = cuda::CurrentDevice(&device); error != cudaSuccess) {
    return AsError(error);
  }
  return AsError(cuda::LaunchGlobalStatsGradient(
      dx->untyped_data(), upstream.untyped_data(), x.untyped_data(), saved.untyped_data(), a.mask,
      a.lengths, a.problem, a.dtype, a.out_dtype, device, stream));
}

XLA_FFI_DEFINE_HANDLER(kGlobalStats, GlobalStats,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::PlatformStream<cudaStream_t>>()
                           .Ctx<ffi::ScratchAllocator>()
                           .Arg<AnyBuffer>()          // x
                           .OptionalArg<AnyBuffer>()  // mask or lengths
                           .OptionalArg<AnyBuffer>()  // lengths
                           .Ret<AnyBuffer>()          // y
                           .Ret<AnyBuffer>()          // saved
                           .Attr<int32_t>(kLayout)
                           .Attr<double>(kEpsilon)
                           .Attr<Statistics>(kStatistics));

XLA_FFI_DEFINE_HANDLER(kGlobalStatsGradient, GlobalStatsGradient,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::PlatformStream<cudaStream_t>>()
                           .Arg<AnyBuffer>()          // upstream
                           .Arg<AnyBuffer>()          // x
                           .Arg<AnyBuffer>()          // saved
                           .OptionalArg<AnyBuffer>()  // mask or lengths
                           .OptionalArg<AnyBuffer>()  // lengths
                           .Ret<AnyBuffer>()          // dx
                           .Attr<int32_t>(kLayout)
                           .Attr<double>(kEpsilon)
                           .Attr<Statistics>(kStatistics));

XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsTarget, "CUDA", kGlobalStats);
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsGradientTarget, "CUDA",
                         kGlobalStatsGradient);

}  // namespace
}  // namespace xla
}  // namespace statpool
