#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/tf/global_stats_op.h"
#include "cc/tf/parallel_for.h"

namespace statpool {
namespace tf {
namespace {

using tensorflow::Tensor;

class GlobalStatsOpCpu final : public GlobalStatsOp {
 public:
  using GlobalStatsOp::GlobalStatsOp;

 private:
  absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs, Tensor* y,
                      Tensor* saved) override {
    const auto* lengths = DataOrNull<int64_t>(inputs.lengths);
    if (lengths != nullptr) {
      TF_RETURN_IF_ERROR(AsInvalidArgument(core::CheckLengths(lengths, inputs.problem.shape)));
    }
    Tensor workspace;
    const int64_t bytes = cpu::GlobalStatsWorkspaceBytes(inputs.problem, attributes().dtype);
    if (bytes > 0) {
      TF_RETURN_IF_ERROR(ctx->allocate_temp(tensorflow::DT_INT8, {bytes}, &workspace));
    }
    cpu::GlobalStats(y->data(), saved->data(), inputs.x->data(), DataOrNull<bool>(inputs.mask),
                     lengths, inputs.problem, attributes().dtype, attributes().out_dtype,
                     bytes > 0 ? workspace.data() : nullptr, cpu::BestInstructionSet(),
                     ParallelForOf(ctx));
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStats").Device(tensorflow::DEVICE_CPU),
                        GlobalStatsOpCpu);

}  // namespace
}  // namespace tf
}  // namespace statpool
