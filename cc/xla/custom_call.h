// The custom calls that both ops become inside XLA: names, operands and attributes, for the side
// that emits them and for the handlers that run them.
//
//   global_stats           (x, mask?, lengths?)                   -> (y, saved, workspace?)
//   global_stats_gradient  (upstream, x, saved, mask?, lengths?)  -> dx
//
// Every buffer is dense and row-major.
#ifndef STATPOOL_XLA_CUSTOM_CALL_H_
#define STATPOOL_XLA_CUSTOM_CALL_H_

namespace statpool {
namespace xla {

constexpr char kGlobalStatsTarget[] = "statpool.global_stats";
constexpr char kGlobalStatsGradientTarget[] = "statpool.global_stats_gradient";

// Attributes. XLA parses them when it compiles, so that a call only reads numbers.
constexpr char kLayout[] = "layout";                 // i32, a core::Layout
constexpr char kEpsilon[] = "epsilon";               // f64
constexpr char kStatistics[] = "statistics";         // array<i32>, each a core::Statistic
constexpr char kActivation[] = "activation";         // i32, a core::Activation
constexpr char kNegativeSlope[] = "negative_slope";  // f64

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_CUSTOM_CALL_H_
