// The arguments of a custom call, checked, as the kernels take them. Nobody else has checked them:
// the program may be written by hand, or by another version of statpool.
#ifndef STATPOOL_XLA_ARGUMENTS_H_
#define STATPOOL_XLA_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "cc/core/problem.h"
#include "cc/xla/ffi_api.h"

namespace statpool {
namespace xla {

namespace ffi = ::xla::ffi;

using Optional = std::optional<ffi::AnyBuffer>;
using Statistics = ffi::Span<const int32_t>;

// A call as XLA hands it over.
struct Call {
  const ffi::AnyBuffer& x;  // [B, T, C] or [B, C, T]
  const ffi::AnyBuffer& y;  // [B, S * C]: the output, or the upstream gradient where there is dx
  const ffi::AnyBuffer& saved;  // [B, planes, C]
  const ffi::AnyBuffer* dx;     // as x; null in the forward pass
  const Optional& mask_or_lengths;
  const Optional& lengths;
  int32_t layout;
  double epsilon;
  Statistics statistics;
};

// The same as both kernels take it.
struct Arguments {
  core::Problem problem;
  const bool* mask;        // [B, T] or null
  const int64_t* lengths;  // [B] or null; what they are is not looked at
};

// After it no kernel reads or writes out of bounds, as long as lengths lie in [0, T].
[[nodiscard]] ffi::Error ReadCall(const Call& call, Arguments* arguments);

core::ForwardBuffers ForwardBuffersOf(const Call& call,
                                      const Arguments& arguments);  // no workspace
core::GradientBuffers GradientBuffersOf(const Call& call, const Arguments& arguments);

// Of a rule that a call broke, and what was received. Says what helps, too.
[[nodiscard]] ffi::Error BrokenCall(const std::string& broken_rule);

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_ARGUMENTS_H_
