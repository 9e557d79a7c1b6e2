#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_gradient_cpu.h"
#include "cc/tf/global_stats_gradient_op.h"
#include "cc/tf/parallel_for.h"

namespace statpool {
namespace tf {
namespace {

using tensorflow::Tensor;

class GlobalStatsGradientOpCpu final : public GlobalStatsGradientOp {
 public:
  using GlobalStatsGradientOp::GlobalStatsGradientOp;

 private:
  // The kernel reads each element once, just before it writes its gradient. Fresh memory costs more
  // than the kernel: the system has to clear it first.
  bool CanOverwriteInput() const override { return true; }

  absl::Status Launch(tensorflow::OpKernelContext* ctx, const PoolingInputs& inputs,
                      const Tensor& upstream, const Tensor& saved, Tensor* dx) override {
    const auto* lengths = DataOrNull<int64_t>(inputs.lengths);
    if (lengths != nullptr) {
      TF_RETURN_IF_ERROR(AsInvalidArgument(core::CheckLengths(lengths, inputs.problem.shape)));
    }
    cpu::GlobalStatsGradient(dx->data(), upstream.data(), inputs.x->data(), saved.data(),
                             DataOrNull<bool>(inputs.mask), lengths, inputs.problem,
                             attributes().dtype, attributes().out_dtype, cpu::BestInstructionSet(),
                             ParallelForOf(ctx));
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStatsGrad").Device(tensorflow::DEVICE_CPU),
                        GlobalStatsGradientOpCpu);

}  // namespace
}  // namespace tf
}  // namespace statpool
