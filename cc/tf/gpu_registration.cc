// Registers both ops for GPUs, for every type of their attributes, as on the CPU.
#include "cc/tf/gpu_ops.h"
#include "xla/stream_executor/stream.h"

namespace statpool {
namespace tf {

cudaStream_t StreamOf(tensorflow::OpKernelContext* ctx) {
  const auto handle = ctx->op_device_context()->stream()->platform_specific_handle();
  return static_cast<cudaStream_t>(handle.stream);
}

REGISTER_KERNEL_BUILDER(
    Name("Statpool>GlobalStats").Device(tensorflow::DEVICE_GPU).HostMemory("lengths"),
    GlobalStatsOpGpu);
REGISTER_KERNEL_BUILDER(
    Name("Statpool>GlobalStatsGrad").Device(tensorflow::DEVICE_GPU).HostMemory("lengths"),
    GlobalStatsGradientOpGpu);

}  // namespace tf
}  // namespace statpool
