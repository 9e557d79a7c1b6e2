#include "cc/tf/gpu_launch.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "cc/core/statistics.h"

namespace statpool {
namespace tf {

absl::Status CheckCuda(cudaError_t error, const char* call, const core::Problem& problem) {
  if (error == cudaSuccess) return absl::OkStatus();
  const core::Shape& shape = problem.shape;
  return absl::InternalError(absl::StrCat(
      "statpool's CUDA kernels must run, got ", cudaGetErrorName(error), " (",
      cudaGetErrorString(error), ") from ", call, " for [B, T, C] = [", shape.batch, ",",
      shape.time, ",", shape.channels, "]; 'python -m statpool doctor' says what this GPU needs"));
}

absl::Status PrepareGpuCall(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                            GpuCall* call) {
  call->stream = StreamOf(ctx);
  call->lengths = nullptr;
  TF_RETURN_IF_ERROR(
      CheckCuda(cuda::CurrentDevice(&call->device), "CurrentDevice", inputs.problem));
  if (inputs.lengths == nullptr) return absl::OkStatus();

  // The tensor may lie in pinned memory, from which the copy would still be reading after this
  // kernel has returned and TensorFlow has given the memory to someone else. From pageable memory,
  // such as this vector, cudaMemcpyAsync has taken what it needs by the time that it returns.
  const auto given = inputs.lengths->flat<int64_t>();
  const std::vector<int64_t> lengths(given.data(), given.data() + given.size());
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::CheckLengths(lengths.data(), inputs.problem.shape)));
  TF_RETURN_IF_ERROR(
      ctx->allocate_temp(tensorflow::DT_INT64, inputs.lengths->shape(), &call->lengths_copy));
  auto* const copy = call->lengths_copy.flat<int64_t>().data();
  call->lengths = copy;
  return CheckCuda(cudaMemcpyAsync(copy, lengths.data(), lengths.size() * sizeof(int64_t),
                                   cudaMemcpyHostToDevice, call->stream),
                   "cudaMemcpyAsync of lengths", inputs.problem);
}

}  // namespace tf
}  // namespace statpool
