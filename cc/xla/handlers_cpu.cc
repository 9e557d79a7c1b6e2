// What the custom calls do on the CPU, platform "Host".
#include <string>
#include <utility>

#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/cpu/global_stats_gradient_cpu.h"
#include "cc/xla/arguments.h"
#include "cc/xla/custom_call.h"
#include "cc/xla/parallel_for.h"

namespace statpool {
namespace xla {
namespace {

using ffi::AnyBuffer;
using Result = ffi::Result<AnyBuffer>;

// Lengths are the only values that can be wrong.
ffi::Error ReadCallAndLengths(const Call& call, Arguments* arguments) {
  ffi::Error error = ReadCall(call, arguments);
  if (error.failure() || arguments->lengths == nullptr) return error;
  std::string broken = core::CheckLengths(arguments->lengths, arguments->problem.shape);
  return broken.empty() ? error : ffi::Error::InvalidArgument(std::move(broken));
}

ffi::Error GlobalStats(ffi::ThreadPool pool, AnyBuffer x, Optional first, Optional second, Result y,
                       Result saved, std::optional<Result> workspace, int32_t layout,
                       double epsilon, Statistics statistics) {
  Arguments a;
  const Call call = {x, *y, *saved, nullptr, first, second, layout, epsilon, statistics};
  if (ffi::Error error = ReadCallAndLengths(call, &a); error.failure()) return error;
  const int64_t bytes = cpu::GlobalStatsWorkspaceBytes(a.problem, a.dtype);
  const bool is_u8 = workspace.has_value() && (*workspace)->element_type() == ffi::U8;
  const auto received = is_u8 ? static_cast<int64_t>((*workspace)->element_count()) : 0;
  if (received < bytes) {
    return BrokenCall("workspace must have type U8 and at least " + std::to_string(bytes) +
                      " elements, got " + std::to_string(received));
  }
  cpu::GlobalStats(y->untyped_data(), saved->untyped_data(), x.untyped_data(), a.mask, a.lengths,
                   a.problem, a.dtype, a.out_dtype,
                   bytes > 0 ? (*workspace)->untyped_data() : nullptr, cpu::BestInstructionSet(),
                   ParallelForOf(&pool));
  return ffi::Error::Success();
}

ffi::Error GlobalStatsGradient(ffi::ThreadPool pool, AnyBuffer upstream, AnyBuffer x,
                               AnyBuffer saved, Optional first, Optional second, Result dx,
                               int32_t layout, double epsilon, Statistics statistics) {
  Arguments a;
  const Call call = {x, upstream, saved, &*dx, first, second, layout, epsilon, statistics};
  if (ffi::Error error = ReadCallAndLengths(call, &a); error.failure()) return error;
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
