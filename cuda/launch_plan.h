// How a pooling call is laid over the GPU: plain data, made by one function for each pass. Knows no
// CUDA, so that it can be printed and tested anywhere. cuda/plan/search.cc looks for the cheapest
// plan, by the times that cuda/plan/cost.cc estimates.
//
// The words that this folder uses:
//   slab    a dense [T, width] array. x is a number of slabs, which makes both layouts one:
//           channels_last has B slabs, C wide; channels_first has B * C slabs, 1 wide.
//   row     of a slab: `fold` steps, the fewest that fill whole vectors of 16 bytes. Where a slab
//           that is 1 wide begins inside a vector, its first row begins with that vector, and the
//           elements of the previous slab there are not valid. Such a row is cut: the head.
//   column  the place of an element in a row
//   item    an element of the vector that a thread loads from a row
//   tile    neighbouring columns of a slab; split: consecutive rows of a slab
//   unit    of work: a tile over a split
//   group   the threads that own a unit: `threads_x` along the row, a vector each, times
//           `threads_y`, which take the rows in turn. A block holds `groups` of them.
//   chunk   rows that a thread adds at once, from one of its rows to the next
//   copies  of a channel: the accumulators that the threads of a group have for it
//   slot    room for the numbers of one channel, or of one copy of it, in shared memory
//   known   statistics that the compiler knows; the other kernels take any statistics at run time
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

// Rows of a chunk. Their loads are in flight together, and the forward pass sums them in float32.
constexpr int kForwardRows = 8;
constexpr int kGradientRows = 4;

constexpr int32_t kWarpThreads = 32;
constexpr int32_t kJoinThreads = 256;  // threads of a block of the second launch

// The most rows of a split: a thread counts its own in 16 bits, and its sums of squared deviations
// have bits for as many values (cuda/forward/accumulator.cuh).
constexpr int64_t kMaxRows = 1 << 15;

// The most threads of a block. A thread has twice the accumulators, and needs twice the registers,
// where elements have 16 bits.
constexpr int32_t BlockThreads(int64_t element_bytes) { return element_bytes == 2 ? 128 : 256; }

// How many blocks of so many threads a multiprocessor has registers for: for __launch_bounds__.
constexpr int32_t ForwardBlocks(int64_t element_bytes, bool is_known) {
  return (element_bytes == 2 ? 2 : 1) + is_known;
}

constexpr int32_t GradientBlocks(int64_t element_bytes, bool is_known) {
  return (element_bytes == 2 ? 2 : 1) * (is_known ? 2 : 1);
}

// The most registers of a thread where the statistics are known. Other kernels may use all that the
// number of blocks above leaves.
constexpr int32_t ForwardRegisters(int64_t element_bytes, bool is_one_channel) {
  return element_bytes != 2 ? 128 : is_one_channel ? 160 : 168;
}
constexpr int32_t kGradientRegisters = 128;

// Calls use(selection), where the selection is a type if kernels are compiled for these sums, else
// `needed` itself.
template <typename Use>
auto WithKnownSums(const core::NeededSums& needed, const Use& use) {
  using core::DefaultSums, core::MeanSums, core::MaxSums, core::MeanStdSums;
  return core::WithKnown<DefaultSums, MeanSums, MaxSums, MeanStdSums>(needed, use);
}

// The same for vectors of one element and for joins, which have fewer kernels.
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
// Shared memory of a block: the chunks that its threads have prefetched, and the slots.

// A panel holds 32 slots (cuda/thread/shared_slots.cuh).
constexpr int64_t PanelBytes(int64_t slot_bytes) { return kWarpThreads * slot_bytes; }

constexpr int64_t SlotsBytes(int64_t slots, int64_t slot_bytes) {
  return (slots + kWarpThreads - 1) / kWarpThreads * PanelBytes(slot_bytes);
}

// Bytes of so many chunks of each thread of a warp.
constexpr int64_t ChunkBytes(int64_t chunks, int64_t rows) {
  return chunks * rows * kWarpThreads * kVectorBytes;
}

// How many chunks a thread prefetches: as many as fit into `room` bytes, but at most two, because
// two keep enough loads in flight for the cards with the most bandwidth.
constexpr int ChunksAhead(int64_t element_bytes, int64_t rows, int64_t room) {
  const int64_t warps = BlockThreads(element_bytes) / kWarpThreads;
  return static_cast<int>(std::min<int64_t>(room / (warps * ChunkBytes(1, rows)), 2));
}

// From sm_80 on the smallest multiprocessors have 100 KB of shared memory. These 32 KB, and 1 KB
// for the system, let them hold three blocks of the 16-bit kernels.
constexpr int ForwardChunksAhead(int64_t element_bytes) {
  return ChunksAhead(element_bytes, kForwardRows, 32 << 10);
}

// Whether a block has room for half of its accumulators only.
constexpr bool HoldsHalf(int64_t accumulators, int64_t bytes) {
  return accumulators * bytes > 34 << 10;
}

// The most channels of a block: the gradient keeps their coefficients in shared memory.
constexpr int32_t BlockChannels(int64_t threads, int64_t vector_width) {
  return static_cast<int32_t>(std::max<int64_t>(threads * vector_width / 2, threads));
}

// What the coefficients leave of the 48 KB of shared memory that a block may use without a request
// to the driver.
constexpr int GradientChunksAhead(int64_t element_bytes, int64_t coefficient_bytes) {
  const int64_t threads = BlockThreads(element_bytes);
  const int64_t channels = BlockChannels(threads, kVectorBytes / element_bytes);
  return ChunksAhead(element_bytes, kGradientRows,
                     (48 << 10) - SlotsBytes(channels, coefficient_bytes));
}

// Bytes of the numbers of an accumulator that are needed, which are those of
// cuda/forward/accumulator.cuh, without gaps.
template <typename Sums>
constexpr int64_t AccumulatorBytes(const Sums& needed, int64_t compute_bytes, int64_t count_bytes) {
  const bool is_double = compute_bytes == 8;
  const int64_t sum = is_double ? 16 : 8;  // with its error
  const int64_t rest = 8;                  // of float, with the pivot
  return count_bytes + core::NeededBytes(needed, sum, rest, compute_bytes + count_bytes);
}

// The same for the coefficients of a channel, which are those of cuda/gradient/coefficients.cuh.
template <typename Terms>
constexpr int64_t CoefficientBytes(const Terms& terms, int64_t compute_bytes) {
  const int64_t wide = compute_bytes == 8 ? 16 : 8;  // a slope with its scale, a mean with its rest
  return 8 * terms.constant + wide * (terms.slope + 2 * terms.central) +
         2 * compute_bytes * (terms.max + terms.min);
}

// ------------------------------------------------------------------------------------------------
// Plans

struct LaunchPlan {
  int64_t grid;          // blocks of the launch; each does every grid-th one of `blocks`
  int64_t blocks;        // ceil(units / groups)
  int32_t block;         // threads
  int64_t shared_bytes;  // of a block
  int32_t resident;      // blocks that a multiprocessor holds at a time

  int32_t vector_width;   // elements that a thread loads at once
  int32_t threads_x;      // vectors of a tile: threads along a row
  int32_t threads_y;      // rows that a group takes at a time
  int32_t group_threads;  // threads_x * threads_y, and one more if odd and vectors are narrow
  int32_t groups;         // of a block

  int64_t slabs;
  int64_t width;   // channels of a slab
  int64_t fold;    // steps of a row
  int64_t rows;    // of a slab
  int64_t tiles;   // of a row
  int64_t splits;  // of a slab; more than one leaves partial results to be joined
  int64_t rows_per_split;
  int64_t units;  // slabs * splits * tiles

  int64_t row_elements;  // fold * width
  int64_t stride;        // from a row of a thread to its next one, in elements

  // What threads divide by to find their unit and their place in it.
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
  int64_t workspace_bytes;  // of device memory, for partial results; 0 if there is one split
};

// The largest power of two, up to kVectorBytes, that divides the addresses of the arrays that have
// x's shape.
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
