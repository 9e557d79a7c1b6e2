// The custom calls on the CPU, platform "Host", on XLA's own threads.
#include <memory>
#include <string>
#include <utility>

#include "cc/core/rules.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/xla/handlers.h"

namespace statpool {
namespace xla {
namespace {

using ffi::AnyBuffer;

class PoolThreads final : public cpu::Threads {
 public:
  explicit PoolThreads(ffi::ThreadPool* pool) : pool_(pool) {}

  int64_t count() const override { return pool_->num_threads(); }
  void Schedule(std::function<void()> task) override { pool_->Schedule(std::move(task)); }

 private:
  ffi::ThreadPool* const pool_;
};

// Lengths are the only values that can be wrong.
ffi::Error ReadCallAndLengths(const Call& call, Arguments* arguments) {
  ffi::Error error = ReadCall(call, arguments);
  if (error.failure() || arguments->lengths == nullptr) return error;
  std::string broken = core::CheckLengths(arguments->lengths, arguments->problem.shape);
  return broken.empty() ? error : ffi::Error::InvalidArgument(std::move(broken));
}

ffi::Error GlobalStats(ffi::ThreadPool pool, AnyBuffer x, Optional mask_or_lengths,
                       Optional lengths, Result y, Result saved, OptionalResult workspace,
                       int32_t layout, double epsilon, Statistics statistics, int32_t activation,
                       double negative_slope) {
  const Call call = {x,      *y,      *saved,     nullptr,    mask_or_lengths, lengths,
                     layout, epsilon, statistics, activation, negative_slope};
  Arguments a;
  if (ffi::Error error = ReadCallAndLengths(call, &a); error.failure()) return error;
  const cpu::Plan plan = cpu::MakePlan(a.problem);
  core::ForwardBuffers buffers = ForwardBuffersOf(call, a);
  // JAX gives none: its size doesn't follow the batch, along which XLA cuts all results of a call.
  std::unique_ptr<char[]> own;
  if (!workspace.has_value()) {
    own.reset(new char[plan.workspace_bytes]);
    buffers.workspace = own.get();
  } else {
    const AnyBuffer& given = **workspace;
    const int64_t received = given.element_type() == ffi::U8 ? given.element_count() : 0;
    if (received < plan.workspace_bytes) {
      return BrokenCall("workspace must have type U8 and at least " +
                        std::to_string(plan.workspace_bytes) + " elements, got " +
                        std::to_string(received));
    }
    buffers.workspace = given.untyped_data();
  }
  PoolThreads threads(&pool);
  cpu::GlobalStats(a.problem, plan, buffers, cpu::BestInstructionSet(), &threads);
  return ffi::Error::Success();
}

ffi::Error GlobalStatsGradient(ffi::ThreadPool pool, AnyBuffer upstream, AnyBuffer x,
                               AnyBuffer saved, Optional mask_or_lengths, Optional lengths,
                               Result dx, int32_t layout, double epsilon, Statistics statistics,
                               int32_t activation, double negative_slope) {
  const Call call = {x,      upstream, saved,      &*dx,       mask_or_lengths, lengths,
                     layout, epsilon,  statistics, activation, negative_slope};
  Arguments a;
  if (ffi::Error error = ReadCallAndLengths(call, &a); error.failure()) return error;
  PoolThreads threads(&pool);
  cpu::GlobalStatsGradient(a.problem, cpu::MakePlan(a.problem), GradientBuffersOf(call, a),
                           cpu::BestInstructionSet(), &threads);
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER(kGlobalStats, GlobalStats,
                       BindGlobalStats(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()));
XLA_FFI_DEFINE_HANDLER(kGlobalStatsGradient, GlobalStatsGradient,
                       BindGlobalStatsGradient(ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()));

XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsTarget, "Host", kGlobalStats);
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsGradientTarget, "Host",
                         kGlobalStatsGradient);

}  // namespace
}  // namespace xla
}  // namespace statpool
