// How a pooling call is cut into units of work: plain data, a function of the problem alone, so
// that the result never depends on the number of threads.
#ifndef STATPOOL_CPU_PLAN_H_
#define STATPOOL_CPU_PLAN_H_

#include <cstdint>

#include "cc/core/api.h"
#include "cc/core/problem.h"

namespace statpool {
namespace cpu {

constexpr int64_t kMaxVectorBytes = 64;                        // of any instruction set
constexpr int64_t kMaxFold = kMaxVectorBytes / sizeof(float);  // lanes that fill any vector
constexpr int64_t kMostLanes = 512;                            // in a row of accumulators
// Most channels that are transposed together, of one unit or of several: 64 steps of 48 channels in
// float32 take 12 KB, which stay in a first-level cache of 32 KB beside the accumulators and the
// channels that they come from.
constexpr int64_t kTransposedChannels = 48;
// Most channels of a unit that takes them one after the other: enough to fill vectors when it
// stores their results.
constexpr int64_t kSeriesChannels = 64;
static_assert((2 * kMaxFold - 1) * kMaxFold <= kMostLanes,
              "folded rows fit into a row of accumulators");

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t multiple) { return CeilDiv(a, multiple) * multiple; }

struct Plan {
  core::Layout layout;         // a single step is channels_last whatever it is called
  bool is_transposed;          // channels_first that the forward pass reads by blocks of channels
  int64_t channels_per_group;  // that are transposed together, of any examples: whole vectors
  int64_t fold;                // consecutive steps that share a row of lanes
  int64_t channels_per_tile;   // channels that one unit owns
  int64_t tiles;               // units along C
  int64_t steps_per_split;     // steps that one unit owns
  int64_t splits;              // units along T; more than one leaves partial results to be joined
  int64_t units;               // batch * tiles * splits
  int64_t partial_bytes;       // that a split leaves of an example: 8-byte numbers stay aligned
  int64_t workspace_bytes;     // for the partial results of all splits, aligned as by operator new
};

STATPOOL_API Plan MakePlan(const core::Problem& problem);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PLAN_H_
