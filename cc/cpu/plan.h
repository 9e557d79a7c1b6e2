// How a pooling call is cut into units of work: plain data, a function of the problem alone, so
// that the result never depends on the number of threads.
#ifndef STATPOOL_CPU_PLAN_H_
#define STATPOOL_CPU_PLAN_H_

#include <cstdint>

#include "cc/core/accumulators.h"
#include "cc/core/problem.h"

namespace statpool {
namespace cpu {

constexpr int64_t kTileLanes = 512;          // what the kernels keep accumulators for
constexpr int64_t kMaxFold = 16;             // lanes that fill every instruction set's vectors
constexpr int64_t kTransposedChannels = 48;  // of a unit that transposes them

struct Plan {
  bool is_transposed;         // channels_first that the forward pass reads by blocks of channels
  int64_t fold;               // consecutive steps that share a row of the tile, each in its lanes
  int64_t channels_per_tile;  // channels that one unit owns
  int64_t tiles;              // units along C
  int64_t steps_per_split;    // steps that one unit owns
  int64_t splits;             // units along T; more than one leaves partial results to be joined
  int64_t units;              // batch * tiles * splits
};

Plan MakePlan(const core::Problem& problem);

// Bytes that a split leaves for each channel.
int64_t PartialBytes(const core::Needs& needs, core::DType dtype);

// Doubles as the two-call protocol's first call: bytes of workspace that a forward pass needs.
int64_t WorkspaceBytes(const core::Problem& problem, core::DType dtype);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PLAN_H_
