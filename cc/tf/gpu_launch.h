// What launching CUDA kernels from TensorFlow takes: the stream, the lengths, errors.
#ifndef STATPOOL_TF_GPU_LAUNCH_H_
#define STATPOOL_TF_GPU_LAUNCH_H_

#include <cuda_runtime_api.h>

#include "cc/tf/problem_attributes.h"
#include "cuda/device.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace statpool {
namespace tf {

// The stream that TensorFlow runs this kernel on. cc/tf/gpu_kernels.cc defines it for GPUs; the
// tests, which run the same OpKernels without a GPU, define it for themselves.
cudaStream_t StreamOf(tensorflow::OpKernelContext* ctx);

// An InternalError that says which call failed on what, or OK.
absl::Status CheckCuda(cudaError_t error, const char* call, const core::Problem& problem);

// What both launchers take beside tensors, on the device.
struct GpuCall {
  cuda::Device device;
  cudaStream_t stream;
  tensorflow::Tensor lengths_copy;
  const int64_t* lengths;  // [B], in lengths_copy, or null
};

// Describes the current device and enqueues the copy of lengths, which are in host memory, once
// they have been found valid.
absl::Status PrepareGpuCall(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                            GpuCall* call);

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_GPU_LAUNCH_H_
