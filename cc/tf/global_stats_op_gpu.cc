#include "cc/tf/global_stats_op_gpu.h"

#include "cc/tf/gpu_launch.h"
#include "cuda/global_stats_cuda.h"

namespace statpool {
namespace tf {

using tensorflow::Tensor;

absl::Status GlobalStatsOpGpu::Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                                      Tensor* y, Tensor* saved) {
  GpuCall call;
  TF_RETURN_IF_ERROR(PrepareGpuCall(ctx, inputs, &call));
  Tensor workspace;
  const int64_t bytes =
      cuda::GlobalStatsWorkspaceBytes(inputs.problem, attributes().dtype, call.device);
  if (bytes > 0) {
    TF_RETURN_IF_ERROR(ctx->allocate_temp(tensorflow::DT_INT8, {bytes}, &workspace));
  }
  return CheckCuda(cuda::LaunchGlobalStats(
                       y->data(), saved->data(), inputs.x->data(), DataOrNull<bool>(inputs.mask),
                       call.lengths, inputs.problem, attributes().dtype, attributes().out_dtype,
                       call.device, bytes > 0 ? workspace.data() : nullptr, call.stream),
                   "LaunchGlobalStats", inputs.problem);
}

}  // namespace tf
}  // namespace statpool
