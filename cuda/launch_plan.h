// How a pooling call is laid over the GPU: plain data, made by one function for each pass. Knows no
// CUDA, so that it can be printed and tested anywhere.
//
// Both layouts are one: x is a number of slabs, dense [T, width] arrays. channels_last has B of
// them, C wide; channels_first has B * C, one wide. The rows of a slab are `fold` steps each, the
// fewest that fill whole vectors. Where a slab one wide doesn't begin at a whole vector, its rows
// begin with the vector around its first step: those of its neighbours there don't count. A unit of
// work is a tile of the columns of a slab over a split of its rows. It is owned by a group of
// threads, `threads_x` along the row, a vector each, and `threads_y` in turn along the rows. A
// block holds `groups` of them.
#ifndef STATPOOL_CUDA_LAUNCH_PLAN_H_
#define STATPOOL_CUDA_LAUNCH_PLAN_H_

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cc/core/api.h"
#include "cc/core/problem.h"
#include "cuda/device_properties.h"
#include "cuda/divisor.h"

namespace statpool {
namespace cuda {

constexpr int64_t kVectorBytes = 16;
constexpr int64_t kMaxGrid = 2147483647;  // blocks along x, on every device

// Rows of a chunk: a thread's loads that are in flight together. The forward pass also sums as many
// in float32.
constexpr int kForwardRows = 8;
constexpr int kGradientRows = 4;

constexpr int32_t kWarpThreads = 32;
constexpr int32_t kJoinThreads = 256;  // of a block of the second launch

// Rows of a split at most: a thread counts its own with 16 bits, and its sums of squared deviations
// have bits for as many values (cuda/forward/accumulator.cuh).
constexpr int64_t kMaxRows = 1 << 15;

// Threads of a block at most. A thread of a 16-bit block has twice the accumulators, and twice the
// registers.
constexpr int32_t BlockThreads(int64_t element_bytes) { return element_bytes == 2 ? 128 : 256; }

// Blocks of so many threads that a multiprocessor has registers for, for __launch_bounds__.
constexpr int32_t ForwardBlocks(int64_t element_bytes, bool is_known) {
  return (element_bytes == 2 ? 2 : 1) + is_known;
}

constexpr int32_t GradientBlocks(int64_t element_bytes, bool is_known) {
  return (element_bytes == 2 ? 2 : 1) * (is_known ? 2 : 1);
}

// Registers of a thread at most, where the compiler knows the statistics; else the blocks above may
// have all.
constexpr int32_t ForwardRegisters(int64_t element_bytes, bool is_one_channel) {
  return element_bytes != 2 ? 128 : is_one_channel ? 160 : 168;
}
constexpr int32_t kGradientRegisters = 128;

// Calls use(selection) with the sums that kernels are compiled for, or else with them.
template <typename Use>
auto WithKnownSums(const core::NeededSums& needed, const Use& use) {
  using core::DefaultSums, core::MeanSums, core::MaxSums, core::MeanStdSums;
  return core::WithKnown<DefaultSums, MeanSums, MaxSums, MeanStdSums>(needed, use);
}

// The same where vectors aren't wide, and for joins.
template <typename Use>
auto WithFewSums(const core::NeededSums& needed, const Use& use) {
  return core::WithKnown<core::DefaultSums, core::MeanStdSums>(needed, use);
}

// Whether there is a kernel for vectors of one channel.
template <typename Sums>
constexpr bool kHasChannelKernel =
    std::is_same_v<Sums, core::DefaultSums> || std::is_same_v<Sums, core::MeanStdSums>;

template <typename Use>
auto WithKnownTerms(const core::GradientTerms& terms, const Use& use) {
  return core::WithKnown<core::DefaultGradientTerms, core::MeanStdGradientTerms>(terms, use);
}

// ------------------------------------------------------------------------------------------------
// Shared memory of a block: what its threads have asked for ahead, and numbers of channels.

// A tile holds the slots of kWarpThreads channels.
constexpr int64_t TileBytes(int64_t slot_bytes) { return kWarpThreads * slot_bytes; }

constexpr int64_t SlotsBytes(int64_t slots, int64_t slot_bytes) {
  return (slots + kWarpThreads - 1) / kWarpThreads * TileBytes(slot_bytes);
}

// Of so many chunks of a warp.
constexpr int64_t ChunkBytes(int64_t chunks, int64_t rows) {
  return chunks * rows * kWarpThreads * kVectorBytes;
}

// Chunks that are asked for ahead: as many as fit beside what else is in the 48 KB that a block has
// without more ado, two at most, which keep the loads of cards with most bandwidth in flight.
constexpr int ChunksAhead(int64_t element_bytes, int64_t rows, int64_t room) {
  const int64_t warps = BlockThreads(element_bytes) / kWarpThreads;
  return static_cast<int>(std::min<int64_t>(room / (warps * ChunkBytes(1, rows)), 2));
}

// Leaves room for the three blocks of 16-bit kernels that the smallest multiprocessors from sm_80
// on hold in 100 KB, 1 KB of each being the system's.
constexpr int ForwardChunksAhead(int64_t element_bytes) {
  return ChunksAhead(element_bytes, kForwardRows, 32 << 10);
}

// Whether a block has room for half of its accumulators only.
constexpr bool HoldsHalf(int64_t accumulators, int64_t bytes) {
  return accumulators * bytes > 34 << 10;
}

// Channels of a block at most: a gradient keeps their coefficients in shared memory.
constexpr int32_t BlockColumns(int64_t threads, int64_t vector_width) {
  return static_cast<int32_t>(std::max<int64_t>(threads * vector_width / 2, threads));
}

constexpr int GradientChunksAhead(int64_t element_bytes, int64_t coefficient_bytes) {
  const int64_t threads = BlockThreads(element_bytes);
  const int64_t columns = BlockColumns(threads, kVectorBytes / element_bytes);
  return ChunksAhead(element_bytes, kGradientRows,
                     (48 << 10) - SlotsBytes(columns, coefficient_bytes));
}

// Bytes of the numbers of an accumulator that are needed, one beside the other; they are those of
// cuda/forward/accumulator.cuh.
template <typename Sums>
constexpr int64_t AccumulatorBytes(const Sums& needed, int64_t compute_bytes, int64_t count_bytes) {
  const bool is_double = compute_bytes == 8;
  const int64_t sum = is_double ? 16 : 8;                  // with its error
  const int64_t rest = is_double ? 0 : 2 * compute_bytes;  // and the pivot
  return count_bytes + core::NeededBytes(needed, sum, rest, compute_bytes + count_bytes);
}

// The same of a channel's coefficients, which are those of cuda/gradient/coefficients.cuh.
template <typename Terms>
constexpr int64_t CoefficientBytes(const Terms& taken, int64_t compute_bytes) {
  const int64_t slope = compute_bytes == 8 ? 16 : 8;  // with its scale
  return 8 * (taken.constant + taken.central) + slope * (taken.slope + taken.central) +
         2 * compute_bytes * (taken.max + taken.min);
}

// ------------------------------------------------------------------------------------------------
// Plans

struct LaunchPlan {
  int64_t grid;          // blocks along x; each does every grid-th one of `blocks`
  int64_t blocks;        // ceil(units / groups)
  int32_t block;         // threads
  int64_t shared_bytes;  // of a block
  int32_t resident;      // blocks that a multiprocessor holds at a time

  int32_t vector_width;   // elements that a thread loads at once
  int32_t threads_x;      // vectors side by side
  int32_t threads_y;      // rows at a time
  int32_t group_threads;  // threads_x * threads_y, and one more if odd and vectors are narrow
  int32_t groups;

  int64_t slabs;
  int64_t width;   // columns of a slab: channels
  int64_t fold;    // steps of a row
  int64_t rows;    // of a slab
  int64_t tiles;   // along a row
  int64_t splits;  // along the rows; more than one leaves partial results to be joined
  int64_t rows_per_split;
  int64_t units;  // slabs * splits * tiles

  int64_t row_elements;  // fold * width
  int64_t stride;        // from a row of a thread to its next one, in elements

  // What threads divide by to find their unit and place in it.
  Divisor by_group_threads;
  Divisor by_threads_x;
  Divisor by_tiles;
  Divisor by_splits;
  Divisor by_slabs_of_example;
  Divisor by_width;

  int64_t bytes_read;     // of x, and of partial results
  int64_t bytes_written;  // of results, and of partial results
};

// Whether all items of a thread's vectors are steps of one channel.
constexpr bool IsOneChannel(const LaunchPlan& plan) {
  return plan.width == 1 && plan.vector_width > 1;
}

// The second launch of a forward pass with splits: a warp for each channel.
struct JoinPlan {
  int64_t grid;
  int64_t blocks;
  int32_t block;
  Divisor by_channels;
};

struct ForwardPlan {
  LaunchPlan launch;
  JoinPlan join;            // a grid of 0 if there is no second launch
  int64_t workspace_bytes;  // of device memory, for partial results; 0 if time is not split
};

// The largest power of two, up to kVectorBytes, that divides the addresses of the arrays of x's
// shape.
STATPOOL_API int64_t AlignmentOf(const core::ForwardBuffers& buffers);
STATPOOL_API int64_t AlignmentOf(const core::GradientBuffers& buffers);

// A grid of 0 says that there is nothing to launch. `alignment` is that of the buffers, at least
// the size of an element.
STATPOOL_API ForwardPlan MakeForwardPlan(const core::Problem& problem, int64_t alignment,
                                         const Device& device);
STATPOOL_API LaunchPlan MakeGradientPlan(const core::Problem& problem, int64_t alignment,
                                         const Device& device);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_LAUNCH_PLAN_H_
