// What the custom calls do on the CPU, platform "Host".
#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/cpu/global_stats_gradient_cpu.h"
#include "cc/xla/custom_call.h"
#include "cc/xla/parallel_for.h"

namespace statpool {
namespace xla {
namespace {

using ffi::AnyBuffer;
using Result = ffi::Result<AnyBuffer>;

// "" if all lengths lie in [0, T].
std::string CheckLengths(const Arguments& arguments) {
  if (arguments.lengths == nullptr) return "";
  return core::CheckLengths(arguments.lengths, arguments.problem.shape);
}

ffi::Error GlobalStats(ffi::ThreadPool pool, AnyBuffer x, Optional first, Optional second, Result y,
                       Result saved, std::optional<Result> workspace, int32_t layout,
                       double epsilon, Statistics statistics) {
  const Arguments a = MakeArguments(x, *y, first, second, layout, epsilon, statistics);
  if (std::string broken_rule = CheckLengths(a); !broken_rule.empty()) {
    return ffi::Error::InvalidArgument(std::move(broken_rule));
  }
  cpu::GlobalStats(y->untyped_data(), saved->untyped_data(), x.untyped_data(), a.mask, a.lengths,
                   a.problem, a.dtype, a.out_dtype,
                   workspace.has_value() ? (*workspace)->untyped_data() : nullptr,
                   cpu::BestInstructionSet(), ParallelForOf(&pool));
  return ffi::Error::Success();
}

ffi::Error GlobalStatsGradient(ffi::ThreadPool pool, AnyBuffer upstream, AnyBuffer x,
                               AnyBuffer saved, Optional first, Optional second, Result dx,
                               int32_t layout, double epsilon, Statistics statistics) {
  const Arguments a = MakeArguments(x, upstream, first, second, layout, epsilon, statistics);
  if (std::string broken_rule = CheckLengths(a); !broken_rule.empty()) {
    return ffi::Error::InvalidArgument(std::move(broken_rule));
  }
  cpu::GlobalStatsGradient(dx->untyped_data(), upstream.untyped_data(), x.untyped_data(),
                           saved.untyped_data(), a.mask, a.lengths, a.problem, a.dtype, a.out_dtype,
                           cpu::BestInstructionSet(), ParallelForOf(&pool));
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER(kGlobalStats, GlobalStats,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::ThreadPool>()
                           .Arg<AnyBuffer>()          // x
                           .OptionalArg<AnyBuffer>()  // mask or lengths
                           .OptionalArg<AnyBuffer>()  // lengths
                           .Ret<AnyBuffer>()          // y
                           .Ret<AnyBuffer>()          // saved
                           .OptionalRet<AnyBuffer>()  // workspace
                           .Attr<int32_t>(kLayout)
                           .Attr<double>(kEpsilon)
                           .Attr<Statistics>(kStatistics));

XLA_FFI_DEFINE_HANDLER(kGlobalStatsGradient, GlobalStatsGradient,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::ThreadPool>()
                           .Arg<AnyBuffer>()          // upstream
                           .Arg<AnyBuffer>()          // x
                           .Arg<AnyBuffer>()          // saved
                           .OptionalArg<AnyBuffer>()  // mask or lengths
                           .OptionalArg<AnyBuffer>()  // lengths
                           .Ret<AnyBuffer>()          // dx
                           .Attr<int32_t>(kLayout)
                           .Attr<double>(kEpsilon)
                           .Attr<Statistics>(kStatistics));

XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsTarget, "Host", kGlobalStats);
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kGlobalStatsGradientTarget, "Host",
                         kGlobalStatsGradient);

}  // namespace
}  // namespace xla
}  // namespace statpool
