#include "cc/tf/global_stats_gradient_op_gpu.h"

#include "cc/tf/gpu_launch.h"
#include "cuda/global_stats_gradient_cuda.h"

namespace statpool {
namespace tf {

using tensorflow::Tensor;

absl::Status GlobalStatsGradientOpGpu::Launch(tensorflow::OpKernelContext* ctx,
                                              const PoolingInputs& inputs, const Tensor& upstream,
                                              const Tensor& saved, Tensor* dx) {
  GpuCall call;
  TF_RETURN_IF_ERROR(PrepareGpuCall(ctx, inputs, &call));
  return CheckCuda(cuda::LaunchGlobalStatsGradient(
                       dx->data(), upstream.data(), inputs.x->data(), saved.data(),
                       DataOrNull<bool>(inputs.mask), call.lengths, inputs.problem,
                       attributes().dtype, attributes().out_dtype, call.device, call.stream),
                   "LaunchGlobalStatsGradient", inputs.problem);
}

}  // namespace tf
}  // namespace statpool
