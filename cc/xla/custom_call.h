// The custom calls that both ops become inside XLA: their names, operands and attributes, known to
// the side that emits them and to the handlers that run them.
//
//   global_stats           (x, mask?, lengths?)                   -> (y, saved, workspace?)
//   global_stats_gradient  (upstream, x, saved, mask?, lengths?)  -> dx
//
// Every buffer is dense and row-major.
#ifndef STATPOOL_XLA_CUSTOM_CALL_H_
#define STATPOOL_XLA_CUSTOM_CALL_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cc/core/problem.h"
#include "cc/xla/ffi_api.h"

namespace statpool {
namespace xla {

namespace ffi = ::xla::ffi;

constexpr char kGlobalStatsTarget[] = "statpool.global_stats";
constexpr char kGlobalStatsGradientTarget[] = "statpool.global_stats_gradient";

// Attributes. XLA parses them when it compiles, so that a call only reads numbers.
constexpr char kLayout[] = "layout";          // i32, a core::Layout
constexpr char kEpsilon[] = "epsilon";        // f64
constexpr char kStatistics[] = "statistics";  // array<i32>, each a core::Statistic

using Statistics = ffi::Span<const int32_t>;
using Optional = std::optional<ffi::AnyBuffer>;

inline core::DType DTypeOf(const ffi::AnyBuffer& buffer) {
  switch (buffer.element_type()) {
    case ffi::F16:
      return core::DType::kFloat16;
    case ffi::BF16:
      return core::DType::kBFloat16;
    case ffi::F32:
      return core::DType::kFloat32;
    default:  // the ops take no other type
      return core::DType::kFloat64;
  }
}

// The arguments that both kernels share.
struct Arguments {
  core::Problem problem;
  core::DType dtype;
  core::DType out_dtype;
  const bool* mask;        // [B, T] or null
  const int64_t* lengths;  // [B] or null
};

// `y` is the output or its gradient; mask and lengths come in this order, either may be missing.
inline Arguments MakeArguments(const ffi::AnyBuffer& x, const ffi::AnyBuffer& y,
                               const Optional& first, const Optional& second, int32_t layout,
                               double epsilon, Statistics statistics) {
  Arguments arguments = {{}, DTypeOf(x), DTypeOf(y), nullptr, nullptr};
  const auto sizes = x.dimensions();
  core::Problem& problem = arguments.problem;
  problem.layout = static_cast<core::Layout>(layout);
  const bool last = problem.layout == core::Layout::kChannelsLast;
  problem.shape = {sizes[0], sizes[last ? 1 : 2], sizes[last ? 2 : 1]};
  problem.epsilon = epsilon;
  problem.statistics.size = static_cast<int32_t>(statistics.size());
  std::transform(statistics.begin(), statistics.end(), problem.statistics.items,
                 [](int32_t item) { return static_cast<core::Statistic>(item); });
  for (const Optional* optional : {&first, &second}) {
    if (!optional->has_value()) continue;
    if ((*optional)->element_type() == ffi::PRED) {
      arguments.mask = static_cast<const bool*>((*optional)->untyped_data());
    } else {
      arguments.lengths = static_cast<const int64_t*>((*optional)->untyped_data());
    }
  }
  return arguments;
}

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_CUSTOM_CALL_H_
