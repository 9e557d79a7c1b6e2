#include "cuda/launch_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cc/core/dtype.h"

namespace statpool {
namespace cuda {
namespace {

constexpr int64_t kMaxThreadsX = 32;        // vectors of a tile
constexpr int64_t kLeastColumns = 16;       // of a tile of 16-bit elements
constexpr int64_t kMaxFoldedThreadsX = 64;  // a folded row can't be cut into tiles
constexpr int64_t kShiftedVectors = 4;      // of a slab, from which on its ends may be cut
constexpr int64_t kSectorBytes = 32;        // what the memory delivers at least
constexpr int64_t kLineBytes = 128;         // and what stores should fill
constexpr int64_t kRegisters = 65536;       // of a multiprocessor, on every device
constexpr int64_t kSystemBytes = 1024;      // of shared memory, that each block takes
constexpr int64_t kMaxWaves = 4;            // of blocks, that splits may be chosen to fill

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// What of a pass its plan depends on. Whatever the statistics: a selection has the bits that it has
// among all, so it is planned as the default ones are.
struct Pass {
  bool is_forward;
  int64_t time;
  int64_t element_bytes;
  int64_t slot_bytes;  // of an accumulator, or of a channel's coefficients, in shared memory
  Device device;

  int64_t ChunkRows() const { return is_forward ? kForwardRows : kGradientRows; }
  int64_t Threads() const { return BlockThreads(element_bytes); }

  int64_t ChunksAhead() const {
    if (device.architecture < 80) return 0;
    return is_forward ? ForwardChunksAhead(element_bytes)
                      : GradientChunksAhead(element_bytes, slot_bytes);
  }
};

Pass PassOf(const core::Problem& problem, const Device& device, bool is_forward) {
  const int64_t compute_bytes = core::ComputeBytesOf(problem.dtype);
  return {is_forward, problem.shape.time, core::BytesOf(problem.dtype),
          is_forward ? AccumulatorBytes(core::DefaultSums(), compute_bytes, sizeof(int32_t))
                     : CoefficientBytes(core::DefaultGradientTerms(), compute_bytes),
          device};
}

// Vectors and rows: 16 bytes a thread where the start of every slab and the rows allow it, or where
// slabs are one wide and hold several vectors.
void SetVectors(int64_t time, int64_t element_bytes, int64_t alignment, LaunchPlan* plan) {
  const int64_t widest = kVectorBytes / element_bytes;
  const int64_t common = std::gcd(plan->width, widest);
  const bool slabs_are_aligned =
      alignment % kVectorBytes == 0 && (common == widest || time * common % widest == 0);
  const bool is_foldable = common == widest || plan->width / common <= kMaxFoldedThreadsX;
  const bool is_shifted = !slabs_are_aligned && alignment % kVectorBytes == 0 && plan->width == 1 &&
                          time >= kShiftedVectors * widest;
  const bool is_wide = (slabs_are_aligned || is_shifted) && is_foldable && time * plan->width > 0;
  plan->vector_width = is_wide ? widest : 1;
  plan->fold = is_wide ? widest / common : 1;
  const int64_t most_shift = is_shifted ? widest - std::gcd(time, widest) : 0;
  plan->rows = CeilDiv(time + most_shift, plan->fold);
}

// Cuts rows into tiles of one width, at most so many vectors, that begin at whole sectors.
void SetTiles(int64_t most, int64_t element_bytes, LaunchPlan* plan) {
  const int64_t vectors = plan->fold * plan->width / plan->vector_width;
  plan->tiles = 1;
  plan->threads_x = vectors;
  if (vectors <= most || plan->fold > 1) return;
  const int64_t sector = std::max<int64_t>(kSectorBytes / element_bytes / plan->vector_width, 1);
  plan->threads_x = CeilDiv(CeilDiv(vectors, CeilDiv(vectors, most)), sector) * sector;
  plan->tiles = CeilDiv(vectors, plan->threads_x);
}

// Rows side by side in memory that together are whole sectors.
int64_t SectorRows(const LaunchPlan& plan, int64_t element_bytes) {
  const int64_t row_bytes = plan.fold * plan.width * element_bytes;
  return plan.tiles > 1 ? 1 : kSectorBytes / std::gcd(row_bytes, kSectorBytes);
}

// Channels of a group.
int64_t ColumnsOf(const LaunchPlan& plan) {
  return std::min<int64_t>(plan.width, int64_t{plan.threads_x} * plan.vector_width);
}

// Of a block, for statistics with a kernel for one channel or not.
int64_t SharedBytes(const LaunchPlan& plan, const Pass& pass, bool has_channel_kernel) {
  const int64_t warps = plan.block / kWarpThreads;
  const int64_t chunks =
      plan.vector_width > 1 ? warps * ChunkBytes(pass.ChunksAhead(), pass.ChunkRows()) : 0;
  if (!pass.is_forward) return chunks + SlotsBytes(plan.groups * ColumnsOf(plan), pass.slot_bytes);
  int64_t slots = plan.block;
  if (!has_channel_kernel || !IsOneChannel(plan)) {
    slots *= plan.vector_width;
    if (HoldsHalf(pass.Threads() * plan.vector_width, pass.slot_bytes)) slots /= 2;
  }
  return std::max(chunks, SlotsBytes(slots, pass.slot_bytes));
}

// Blocks that a multiprocessor holds at a time.
int64_t Resident(const LaunchPlan& plan, const Pass& pass) {
  const Device& device = pass.device;
  const int64_t registers = pass.is_forward
                                ? ForwardRegisters(pass.element_bytes, IsOneChannel(plan))
                                : kGradientRegisters;
  const int64_t warps = plan.block / kWarpThreads;
  const int64_t shared = SharedBytes(plan, pass, true);
  return std::max<int64_t>(std::min({int64_t{device.blocks}, int64_t{device.threads / plan.block},
                                     kRegisters / (registers * kWarpThreads) / warps,
                                     device.shared_bytes / (shared + kSystemBytes)}),
                           1);
}

// The rest of a plan that has its tiles, for so many rows at a time, splits and groups of a block
// at most.
void SetGroups(int64_t threads_y, int64_t splits, int64_t most_groups, const Pass& pass,
               LaunchPlan* plan) {
  plan->threads_y = threads_y;
  plan->group_threads = plan->threads_x * plan->threads_y;
  // Half of a group's accumulators are sent to the others.
  if (plan->vector_width == 1) plan->group_threads = CeilDiv(plan->group_threads, 2) * 2;
  const int64_t sector_rows = SectorRows(*plan, pass.element_bytes);
  plan->rows_per_split =
      std::max<int64_t>(CeilDiv(CeilDiv(plan->rows, splits), sector_rows), 1) * sector_rows;
  plan->splits = std::max<int64_t>(CeilDiv(plan->rows, plan->rows_per_split), 1);
  plan->units = plan->slabs * plan->splits * plan->tiles;
  const int64_t most =
      std::min({pass.Threads() / plan->group_threads, most_groups, plan->units,
                BlockColumns(pass.Threads(), plan->vector_width) / ColumnsOf(*plan)});
  plan->groups = std::max<int64_t>(most, 1);
  plan->blocks = CeilDiv(plan->units, plan->groups);
  plan->block = CeilDiv(plan->groups * plan->group_threads, kWarpThreads) * kWarpThreads;
  plan->resident = Resident(*plan, pass);
}

// ------------------------------------------------------------------------------------------------
// The time that a plan takes, in cycles of a multiprocessor.

// Instructions of a thread, as counted in the machine code of sm_90: of a row of 16-bit elements,
// of float32 and of float64.
struct RowCost {
  double of_16_bits;
  double of_float;
  double of_double;

  double For(int64_t element_bytes) const {
    return element_bytes == 2 ? of_16_bits : element_bytes == 4 ? of_float : of_double;
  }
};
constexpr RowCost kForwardRow = {50, 27, 30};
constexpr RowCost kChannelRow = {42, 24, 28};  // all of one channel
constexpr RowCost kGradientRow = {62, 33, 25};
constexpr double kPrologue = 160;
constexpr double kCutChunk = 1.2;      // a chunk of fewer rows, beside a whole one
constexpr double kCutRows = 150;       // a row of one channel that is cut
constexpr double kCutItems = 1.6;      // a chunk that is cut amid a row, beside a whole one
constexpr double kJoin = 26;           // an accumulator that joins another
constexpr double kResults = 100;       // of a channel
constexpr double kCoefficients = 200;  // of a channel
constexpr double kNumbers = 8;         // of an accumulator or a channel, to shared memory or back

// Cycles, as fitted to the times of an H100: of an instruction in loops and where code runs once,
// while few other warps compete; of a wait for memory; of a second launch.
constexpr double kLoopCycles = 3.5;
constexpr double kOnceCycles = 6;
constexpr double kWaitCycles = 760;
constexpr double kSecondLaunchCycles = 1000;
constexpr double kBytesPerCycle = 13;
constexpr double kPartialBytes = 36;  // of a channel's partial results
constexpr double kLineCycles = 0.4;   // of the first-level cache

double CyclesOf(double alone, double warps_of_scheduler) {
  return std::max(alone, warps_of_scheduler) + std::min(alone, warps_of_scheduler) / 8;
}

// What a block does before or after its loop.
double OnceOf(const LaunchPlan& plan, const Pass& pass) {
  const double columns = static_cast<double>(ColumnsOf(plan));
  const double a_thread = std::ceil(columns / plan.group_threads);
  if (!pass.is_forward) {
    return kPrologue + kCoefficients * a_thread + 2 * kNumbers * plan.vector_width;
  }
  if (IsOneChannel(plan)) {
    double instructions = kResults;
    for (int32_t lanes = 1; lanes < std::min(plan.group_threads, kWarpThreads); lanes *= 2) {
      instructions += kJoin;
    }
    return instructions + kJoin * (plan.group_threads / kWarpThreads);
  }
  const double copies = static_cast<double>(plan.threads_y * plan.fold);
  const double joined_at_once = std::max(1.0, std::floor(plan.group_threads / columns));
  return kNumbers * plan.vector_width + kResults * a_thread +
         kJoin * (copies / joined_at_once * a_thread + std::log2(joined_at_once));
}

double CostOf(const LaunchPlan& plan, const Pass& pass) {
  const int64_t chunk_rows = pass.ChunkRows();
  const int64_t thread_rows = CeilDiv(plan.rows_per_split, plan.threads_y);
  const double row = (!pass.is_forward     ? kGradientRow
                      : IsOneChannel(plan) ? kChannelRow
                                           : kForwardRow)
                         .For(pass.element_bytes);
  const int64_t chunks = thread_rows / chunk_rows;
  const double whole = static_cast<double>(chunks * chunk_rows);
  double rows = whole;
  if (thread_rows > chunks * chunk_rows) rows += kCutChunk * chunk_rows;
  double loop = rows * row;
  const bool is_cut = plan.rows * plan.fold != pass.time;
  if (is_cut)
    loop += pass.is_forward && IsOneChannel(plan) ? kCutRows : kCutItems * chunk_rows * row;
  if (plan.vector_width == 1) loop *= pass.element_bytes == 2 ? 0.25 : 0.5;
  const double once = OnceOf(plan, pass);

  const double blocks = static_cast<double>(plan.blocks);
  const double of_multiprocessor = blocks / pass.device.multiprocessors;
  const double most = std::ceil(of_multiprocessor);
  const double waves = std::ceil(most / plan.resident);
  const double warps =
      std::min<double>(plan.resident, most) * plan.block / kWarpThreads / 4;  // of a scheduler
  const double once_cycles = once * CyclesOf(kOnceCycles, warps);
  const double waits = (chunks > 0) + (thread_rows % chunk_rows != 0) + is_cut;
  const double path = waves * ((kPrologue + loop) * CyclesOf(kLoopCycles, warps) + once_cycles +
                               waits * kWaitCycles);

  // Bytes, of which multiprocessors with a block more decide.
  const double unit_rows = static_cast<double>(plan.rows_per_split) * plan.threads_x;
  const double vectors = unit_rows * plan.groups * most;
  const double passes = pass.is_forward ? 1 : 2;
  double bytes = vectors * plan.vector_width * pass.element_bytes * passes;
  // Rows that fill no sector are read and written in parts.
  const int64_t side_by_side = plan.threads_x * plan.vector_width * pass.element_bytes *
                               (plan.tiles > 1 ? 1 : plan.threads_y);
  if (side_by_side < kSectorBytes) bytes *= 1.5;
  if (!pass.is_forward && side_by_side < kLineBytes) bytes *= 1.25;
  const double memory = bytes / kBytesPerCycle + once_cycles;
  const double lines = vectors / kWarpThreads * passes *
                       std::max<double>(kWarpThreads * kVectorBytes / kLineBytes,
                                        kWarpThreads * kVectorBytes / side_by_side);
  const double cache = lines * kLineCycles;
  double cycles = std::sqrt(path * path + memory * memory + cache * cache);
  if (pass.is_forward && plan.splits > 1) {
    const double partial = static_cast<double>(plan.slabs * plan.width) * plan.splits;
    cycles += 2 * kPartialBytes * partial / pass.device.multiprocessors / kBytesPerCycle;
    cycles += kSecondLaunchCycles + 2 * kWaitCycles +
              kOnceCycles * (kResults + 6 * kJoin + kJoin * CeilDiv(plan.splits, kWarpThreads));
  }
  return cycles;
}

// The cheapest of the plans with tiles down to a few sectors or kLeastColumns, and groups down to a
// thread for each of their vectors.
LaunchPlan MakePlan(const core::Problem& problem, int64_t alignment, const Pass& pass) {
  const core::Shape& shape = problem.shape;
  const bool last = problem.layout == core::Layout::kChannelsLast;
  LaunchPlan plan = {};
  plan.slabs = last ? shape.batch : shape.batch * shape.channels;
  plan.width = last ? shape.channels : 1;
  if (shape.batch == 0 || shape.channels == 0) return plan;
  SetVectors(shape.time, pass.element_bytes, alignment, &plan);

  LaunchPlan best = plan;
  double least = 0;
  const auto consider = [&](int64_t threads_y, int64_t splits) {
    int64_t before = 0;  // groups of a block
    for (int64_t groups = 1;; groups *= 2) {
      SetGroups(threads_y, splits, groups, pass, &plan);
      if (plan.groups == before) break;
      before = plan.groups;
      const double cost = CostOf(plan, pass);
      if (best.units == 0 || cost < least) {
        best = plan;
        least = cost;
      }
      if (splits > 1) break;
    }
  };
  // A forward pass joins two copies of an accumulator or more (cuda/forward/join.cuh).
  const int64_t least_y = pass.is_forward && plan.fold == 1 ? 2 : 1;
  const int64_t least_splits = std::max<int64_t>(CeilDiv(plan.rows, kMaxRows), 1);
  const int64_t least_x = std::min(kMaxThreadsX / 8, kLeastColumns / plan.vector_width);
  for (int64_t x = kMaxThreadsX; x >= least_x; x /= 2) {
    SetTiles(x, pass.element_bytes, &plan);
    const int64_t sector_rows = SectorRows(plan, pass.element_bytes);
    // Threads side by side that read less than a sector read it twice.
    const int64_t whole_y = std::max(least_y, std::min({sector_rows, plan.rows, pass.Threads()}));
    const auto whole_sectors = [sector_rows](int64_t rows) {
      return rows - rows % std::min(rows, sector_rows);
    };
    const int64_t most_y = std::max<int64_t>(pass.Threads() / plan.threads_x, 1);
    // Splits are for blocks of one group.
    SetGroups(whole_sectors(most_y), least_splits, 1, pass, &plan);
    const int64_t slots = int64_t{pass.device.multiprocessors} * plan.resident;
    const int64_t chunks = plan.rows / (most_y * pass.ChunkRows());
    int64_t before = least_splits;
    for (int64_t waves = 1; waves <= kMaxWaves; ++waves) {
      const int64_t splits = std::min(waves * slots / (plan.slabs * plan.tiles), chunks);
      if (splits <= before) continue;
      consider(whole_sectors(most_y), splits);
      before = splits;
    }
    for (int64_t y = most_y; y >= std::min(whole_y, most_y); y /= 2) {
      consider(whole_sectors(y), least_splits);
      if (y * 3 / 4 >= whole_y) consider(whole_sectors(y * 3 / 4), least_splits);
    }
    if (plan.fold > 1 || plan.vector_width == 1) break;
  }
  best.grid = std::min(best.blocks, kMaxGrid);
  best.row_elements = best.fold * best.width;
  best.stride = best.row_elements * best.threads_y;
  best.by_group_threads = DivisorOf(best.group_threads);
  best.by_threads_x = DivisorOf(best.threads_x);
  best.by_tiles = DivisorOf(best.tiles);
  best.by_splits = DivisorOf(best.splits);
  best.by_slabs_of_example = DivisorOf(best.slabs / shape.batch);
  best.by_width = DivisorOf(best.width);
  return best;
}

int64_t ElementsOf(const core::Shape& shape) { return shape.batch * shape.time * shape.channels; }

int64_t SavedBytes(const core::Problem& problem) {
  const int64_t fields = core::SavedFieldsOf(problem.statistics).size;
  return problem.shape.batch * problem.shape.channels * fields *
         core::ComputeBytesOf(problem.dtype);
}

int64_t OutputBytes(const core::Problem& problem, int64_t element_bytes) {
  return problem.shape.batch * problem.shape.channels * problem.statistics.size * element_bytes;
}

// Of a channel: its counts have 64 bits.
int64_t PartialBytes(const core::Problem& problem) {
  return AccumulatorBytes(core::NeededSumsOf(problem.statistics),
                          core::ComputeBytesOf(problem.dtype), 8);
}

int64_t AlignmentOfAddress(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer) | kVectorBytes;
  return static_cast<int64_t>(address & -address);
}

// make(), or what it returned for the same arguments not long ago: to make a plan takes longer than
// to launch it.
template <typename Plan, typename Make>
Plan Remembered(const core::Problem& problem, int64_t alignment, const Device& device,
                const Make& make) {
  struct Arguments {
    core::Problem problem;
    int64_t alignment;
    Device device;
  };
  struct Entry {
    Arguments arguments;
    Plan plan;
    bool is_made;
  };
  constexpr int kEntries = 16;
  thread_local Entry entries[kEntries] = {};
  const core::Shape& shape = problem.shape;
  const uint64_t number = static_cast<uint64_t>(shape.batch * 31 + shape.time) * 31 +
                          static_cast<uint64_t>(shape.channels);
  Entry& entry = entries[number % kEntries];
  const Arguments arguments = {problem, alignment, device};
  // Bytes that are no part of a member may make equal arguments differ, never others equal.
  if (!entry.is_made || std::memcmp(&entry.arguments, &arguments, sizeof arguments) != 0) {
    entry.plan = make();
    std::memcpy(&entry.arguments, &arguments, sizeof arguments);
    entry.is_made = true;
  }
  return entry.plan;
}

ForwardPlan NewForwardPlan(const core::Problem& problem, int64_t alignment, const Device& device) {
  const core::Shape& shape = problem.shape;
  const int64_t element_bytes = core::BytesOf(problem.dtype);
  const Pass pass = PassOf(problem, device, /*is_forward=*/true);
  ForwardPlan plan = {};
  LaunchPlan& launch = plan.launch;
  launch = MakePlan(problem, alignment, pass);
  const auto set_shared_bytes = [&](const auto& sums) {
    using Sums = std::decay_t<decltype(sums)>;
    Pass of_sums = pass;
    of_sums.slot_bytes =
        AccumulatorBytes(core::kMost<Sums>, core::ComputeBytesOf(problem.dtype), sizeof(int32_t));
    launch.shared_bytes = SharedBytes(launch, of_sums, kHasChannelKernel<Sums>);
  };
  const core::NeededSums needed = core::NeededSumsOf(problem.statistics);
  if (launch.vector_width > 1) {
    WithKnownSums(needed, set_shared_bytes);
  } else {
    WithFewSums(needed, set_shared_bytes);
  }
  if (launch.splits > 1) {
    const int64_t channels = shape.batch * shape.channels;
    plan.workspace_bytes = launch.splits * channels * PartialBytes(problem);
    JoinPlan& join = plan.join;
    join.block = kJoinThreads;
    join.blocks = CeilDiv(channels, kJoinThreads / kWarpThreads);
    join.grid = std::min(join.blocks, kMaxGrid);
    join.by_channels = DivisorOf(shape.channels);
  }
  launch.bytes_read = ElementsOf(shape) * element_bytes + plan.workspace_bytes;
  launch.bytes_written =
      OutputBytes(problem, element_bytes) + SavedBytes(problem) + plan.workspace_bytes;
  return plan;
}

LaunchPlan NewGradientPlan(const core::Problem& problem, int64_t alignment, const Device& device) {
  const int64_t element_bytes = core::BytesOf(problem.dtype);
  const Pass pass = PassOf(problem, device, /*is_forward=*/false);
  LaunchPlan plan = MakePlan(problem, alignment, pass);
  WithKnownTerms(core::GradientTermsOf(problem.statistics), [&](const auto& terms) {
    Pass of_terms = pass;
    of_terms.slot_bytes = CoefficientBytes(core::kMost<std::decay_t<decltype(terms)>>,
                                           core::ComputeBytesOf(problem.dtype));
    plan.shared_bytes = SharedBytes(plan, of_terms, true);
  });
  if (problem.shape.time == 0) plan.grid = plan.blocks = 0;
  plan.bytes_written = ElementsOf(problem.shape) * element_bytes;
  plan.bytes_read = plan.bytes_written + OutputBytes(problem, element_bytes) + SavedBytes(problem);
  return plan;
}

}  // namespace

int64_t AlignmentOf(const core::ForwardBuffers& buffers) { return AlignmentOfAddress(buffers.x); }

int64_t AlignmentOf(const core::GradientBuffers& buffers) {
  return std::min(AlignmentOfAddress(buffers.x), AlignmentOfAddress(buffers.dx));
}

ForwardPlan MakeForwardPlan(const core::Problem& problem, int64_t alignment, const Device& device) {
  return Remembered<ForwardPlan>(problem, alignment, device,
                                 [&] { return NewForwardPlan(problem, alignment, device); });
}

LaunchPlan MakeGradientPlan(const core::Problem& problem, int64_t alignment, const Device& device) {
  return Remembered<LaunchPlan>(problem, alignment, device,
                                [&] { return NewGradientPlan(problem, alignment, device); });
}

}  // namespace cuda
}  // namespace statpool
