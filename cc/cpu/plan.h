// How a pooling call is cut into units of work: plain data, a function of the problem alone, so
// that the result never depends on the number of threads. A caller of global_stats_cpu.h makes the
// plan first, because it says how large a workspace must be.
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
// Most channels that are transposed together, of one unit or several: 64 steps of 48 channels in
// float32 take 12 KB, so that they fit into a first-level cache of 32 KB together with the
// accumulators and the memory that they are read from.
constexpr int64_t kTransposedChannels = 48;
// Most channels of a unit that reads one channel after the other: enough to fill vectors when it
// stores their results.
constexpr int64_t kSeriesChannels = 64;
// Most channels of a pack: examples so tiny that finishing one alone would take longer than its
// steps.
constexpr int64_t kPackChannels = 64;
constexpr int64_t kPackElements = 1024;  // most elements of a pack
static_assert((2 * kMaxFold - 1) * kMaxFold <= kMostLanes,
              "folded rows fit into a row of accumulators");

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t multiple) { return CeilDiv(a, multiple) * multiple; }

// The default has nothing to do.
struct Plan {
  core::Layout layout = core::Layout::kChannelsLast;  // also where T is 1: the same memory
  bool is_transposed = false;      // channels_first, and the forward pass transposes it
  int64_t channels_per_group = 0;  // transposed together: whole vectors, of any examples
  // Examples whose channels stand side by side, as those of one example, if all have the same
  // steps.
  int64_t examples_per_pack = 1;
  int64_t fold = 1;               // consecutive steps that share a row of lanes
  int64_t channels_per_tile = 1;  // channels that a unit owns
  int64_t tiles = 0;              // units along C
  int64_t steps_per_split = 1;    // steps that a unit owns
  int64_t splits = 0;             // units along T; partial results are joined if it is > 1
  int64_t units = 0;              // packs * tiles * splits
  int64_t partial_bytes = 0;      // of an example's split, a multiple of 8
  int64_t workspace_bytes = 0;    // of all partial results, to be aligned as by operator new
};

STATPOOL_API Plan MakePlan(const core::Problem& problem);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PLAN_H_
