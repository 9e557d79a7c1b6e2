#include "cc/tf/gpu_ops.h"

#include "absl/strings/str_cat.h"
#include "cuda/global_stats_cuda.h"
#include "cuda/lengths.h"

namespace statpool {
namespace tf {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;

namespace {

// An InternalError that says which call failed on what, or OK.
absl::Status CheckCuda(cudaError_t error, const char* call, const core::Problem& problem) {
  if (error == cudaSuccess) return absl::OkStatus();
  const core::Shape& shape = problem.shape;
  return absl::InternalError(
      absl::StrCat("statpool's CUDA kernels must run, got ", cuda::DescribeError(error), " from ",
                   call, " for [B, T, C] = [", shape.batch, ",", shape.time, ",", shape.channels,
                   "]; 'python -m statpool doctor' says what this GPU needs"));
}

// What both launches need besides tensors.
struct GpuCall {
  cuda::Device device;
  cudaStream_t stream;
  Tensor lengths_copy;
  const int64_t* lengths;  // [B], in lengths_copy on the device, or null
};

// Describes the current device and copies lengths to it from host memory.
absl::Status PrepareGpuCall(OpKernelContext* ctx, const PoolingInputs& inputs, GpuCall* call) {
  call->stream = StreamOf(ctx);
  call->lengths = nullptr;
  TF_RETURN_IF_ERROR(
      CheckCuda(cuda::CurrentDevice(&call->device), "CurrentDevice", inputs.problem));
  if (inputs.lengths == nullptr) return absl::OkStatus();

  const auto given = inputs.lengths->flat<int64_t>();
  TF_RETURN_IF_ERROR(
      ctx->allocate_temp(tensorflow::DT_INT64, inputs.lengths->shape(), &call->lengths_copy));
  auto* const copy = call->lengths_copy.flat<int64_t>().data();
  call->lengths = copy;
  return CheckCuda(cuda::StoreLengths(given.data(), given.size(), copy, call->stream),
                   "StoreLengths", inputs.problem);
}

}  // namespace

absl::Status GlobalStatsOpGpu::Launch(OpKernelContext* ctx, const PoolingInputs& inputs, Tensor* y,
                                      Tensor* saved) {
  GpuCall call;
  TF_RETURN_IF_ERROR(PrepareGpuCall(ctx, inputs, &call));
  core::ForwardBuffers buffers = {};
  buffers.y = y->data();
  buffers.saved = saved->data();
  buffers.x = inputs.x->data();
  buffers.mask = DataOrNull<bool>(inputs.mask);
  buffers.lengths = call.lengths;
  const cuda::ForwardPlan plan =
      cuda::MakeForwardPlan(inputs.problem, cuda::AlignmentOf(buffers), call.device);
  Tensor holder;
  TF_RETURN_IF_ERROR(AllocateWorkspace(ctx, plan.workspace_bytes, &holder, &buffers.workspace));
  return CheckCuda(cuda::LaunchGlobalStats(inputs.problem, plan, buffers, call.stream),
                   "LaunchGlobalStats", inputs.problem);
}

absl::Status GlobalStatsGradientOpGpu::Launch(OpKernelContext* ctx, const PoolingInputs& inputs,
                                              const Tensor& upstream, const Tensor& saved,
                                              Tensor* dx) {
  GpuCall call;
  TF_RETURN_IF_ERROR(PrepareGpuCall(ctx, inputs, &call));
  core::GradientBuffers buffers = {};
  buffers.dx = dx->data();
  buffers.upstream = upstream.data();
  buffers.x = inputs.x->data();
  buffers.saved = saved.data();
  buffers.mask = DataOrNull<bool>(inputs.mask);
  buffers.lengths = call.lengths;
  const cuda::LaunchPlan plan =
      cuda::MakeGradientPlan(inputs.problem, cuda::AlignmentOf(buffers), call.device);
  return CheckCuda(cuda::LaunchGlobalStatsGradient(inputs.problem, plan, buffers, call.stream),
                   "LaunchGlobalStatsGradient", inputs.problem);
}

}  // namespace tf
}  // namespace statpool
