// The bindings of the handlers: the operands, results and attributes of a custom call. What comes
// from the platform, such as its stream, comes first.
#ifndef STATPOOL_XLA_HANDLERS_H_
#define STATPOOL_XLA_HANDLERS_H_

#include <utility>

#include "cc/xla/arguments.h"
#include "cc/xla/custom_call.h"

namespace statpool {
namespace xla {

using Result = ffi::Result<ffi::AnyBuffer>;
using OptionalResult = std::optional<Result>;

template <typename Binding>
auto BindMaskLengthsOf(Binding&& inputs) {
  return std::forward<Binding>(inputs)
      .template OptionalArg<ffi::AnyBuffer>()   // mask or lengths
      .template OptionalArg<ffi::AnyBuffer>();  // lengths
}

template <typename Binding>
auto BindAttributesOf(Binding&& call) {
  return std::forward<Binding>(call)
      .template Attr<int32_t>(kLayout)
      .template Attr<double>(kEpsilon)
      .template Attr<Statistics>(kStatistics)
      .template Attr<int32_t>(kActivation)
      .template Attr<double>(kNegativeSlope);
}

// (context..., x, mask or lengths, lengths, y, saved, workspace, attributes...)
template <typename Binding>
auto BindGlobalStats(Binding&& context) {
  auto inputs = std::forward<Binding>(context).template Arg<ffi::AnyBuffer>();  // x
  return BindAttributesOf(BindMaskLengthsOf(std::move(inputs))
                              .template Ret<ffi::AnyBuffer>()            // y
                              .template Ret<ffi::AnyBuffer>()            // saved
                              .template OptionalRet<ffi::AnyBuffer>());  // workspace
}

// (context..., upstream, x, saved, mask or lengths, lengths, dx, attributes...)
template <typename Binding>
auto BindGlobalStatsGradient(Binding&& context) {
  auto inputs = std::forward<Binding>(context)
                    .template Arg<ffi::AnyBuffer>()   // upstream
                    .template Arg<ffi::AnyBuffer>()   // x
                    .template Arg<ffi::AnyBuffer>();  // saved
  return BindAttributesOf(
      BindMaskLengthsOf(std::move(inputs)).template Ret<ffi::AnyBuffer>());  // dx
}

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_HANDLERS_H_
