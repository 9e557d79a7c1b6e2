// Both ops on the CPU, on TensorFlow's own threads.
#include "cc/cpu/global_stats_cpu.h"
#include "cc/tf/global_stats_ops.h"
#include "cc/tf/pool_threads.h"

namespace statpool {
namespace tf {
namespace {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;

class GlobalStatsOpCpu final : public GlobalStatsOp {
 public:
  using GlobalStatsOp::GlobalStatsOp;

 private:
  absl::Status Launch(OpKernelContext* ctx, const PoolingInputs& inputs, Tensor* y,
                      Tensor* saved) override {
    const cpu::Plan plan = cpu::MakePlan(inputs.problem);
    Tensor holder;
    void* workspace;
    TF_RETURN_IF_ERROR(AllocateWorkspace(ctx, plan.workspace_bytes, &holder, &workspace));
    PoolThreads threads(ctx);
    core::ForwardBuffers buffers = {};
    buffers.y = y->data();
    buffers.saved = saved->data();
    buffers.x = inputs.x->data();
    buffers.mask = DataOrNull<bool>(inputs.mask);
    buffers.lengths = DataOrNull<int64_t>(inputs.lengths);
    buffers.workspace = workspace;
    cpu::GlobalStats(inputs.problem, plan, buffers, cpu::BestInstructionSet(), &threads);
    return absl::OkStatus();
  }
};

class GlobalStatsGradientOpCpu final : public GlobalStatsGradientOp {
 public:
  using GlobalStatsGradientOp::GlobalStatsGradientOp;

 private:
  // Correct because the kernel reads each element once, just before it writes its gradient, and
  // fast because fresh memory costs more than the kernel: the system clears it first.
  bool CanOverwriteInput() const override { return true; }

  absl::Status Launch(OpKernelContext* ctx, const PoolingInputs& inputs, const Tensor& upstream,
                      const Tensor& saved, Tensor* dx) override {
    PoolThreads threads(ctx);
    core::GradientBuffers buffers = {};
    buffers.dx = dx->data();
    buffers.upstream = upstream.data();
    buffers.x = inputs.x->data();
    buffers.saved = saved.data();
    buffers.mask = DataOrNull<bool>(inputs.mask);
    buffers.lengths = DataOrNull<int64_t>(inputs.lengths);
    cpu::GlobalStatsGradient(inputs.problem, cpu::MakePlan(inputs.problem), buffers,
                             cpu::BestInstructionSet(), &threads);
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStats").Device(tensorflow::DEVICE_CPU),
                        GlobalStatsOpCpu);
REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStatsGrad").Device(tensorflow::DEVICE_CPU),
                        GlobalStatsGradientOpCpu);

}  // namespace
}  // namespace tf
}  // namespace statpool
