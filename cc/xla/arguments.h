// The arguments of a custom call, checked, in the form that the kernels take. Nothing else checks
// them: the program may be written by hand, or by another version of statpool.
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

// A call in the form that XLA passes.
struct Call {
  const ffi::AnyBuffer& x;              // [B, T, C] or [B, C, T]
  const ffi::AnyBuffer& y_or_upstream;  // [B, S * C]: y in the forward pass, else upstream
  const ffi::AnyBuffer& saved;          // [B, planes, C]
  const ffi::AnyBuffer* dx;             // as x; null in the forward pass
  const Optional& mask_or_lengths;
  const Optional& lengths;
  int32_t layout;
  double epsilon;
  Statistics statistics;
  int32_t activation;
  double negative_slope;
};

// The same in the form that both kernels take.
struct Arguments {
  core::Problem problem;
  const bool* mask;        // [B, T] or null
  const int64_t* lengths;  // [B] or null; not checked to be in [0, T]
};

// After it no kernel reads or writes out of bounds, as long as lengths are in [0, T].
[[nodiscard]] ffi::Error ReadCall(const Call& call, Arguments* arguments);

// Without a workspace.
core::ForwardBuffers ForwardBuffersOf(const Call& call, const Arguments& arguments);
core::GradientBuffers GradientBuffersOf(const Call& call, const Arguments& arguments);

// The error for a broken rule, with what helps.
[[nodiscard]] ffi::Error BrokenCall(const std::string& broken_rule);

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_ARGUMENTS_H_
