#include "cuda/launch_plan.h"

#include <algorithm>
#include <numeric>

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
constexpr int64_t kMaxSteps = 1 << 30;      // counters of a split are 32 bits wide
constexpr int64_t kMaxWaves = 4;            // of blocks, that splits may be chosen to fill

// What takes time beside the rows that a thread loads, in that of a row, as fitted to an H100: what
// a block does before and after, a last chunk that is cut, each halving of the copies of an
// accumulator, the coefficients of a channel, an accumulator that a split leaves, a second launch.
constexpr int64_t kBlockRows = 12;
constexpr int64_t kCutChunkRows = 4;
constexpr int64_t kHalvingRows = 1;
constexpr int64_t kCoefficientRows = 3;
constexpr int64_t kPartialRows = 4;
constexpr int64_t kSecondLaunchRows = 20;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// What of a pass its plan depends on.
struct Pass {
  bool is_forward;
  int64_t chunk_rows;  // that a thread loads at once
  int64_t threads;     // of a block
  int64_t slots;       // blocks of so many threads that the device holds
  int64_t element_bytes;
};

Pass PassOf(const core::Problem& problem, const Device& device, bool is_forward) {
  const int64_t bytes = core::BytesOf(problem.dtype);
  // Whatever the statistics: a selection has the bits that it has among all.
  const int64_t slots = int64_t{device.multiprocessors} * BlocksPerMultiprocessor(bytes, true);
  return {is_forward, is_forward ? kForwardRows : kGradientRows, BlockThreads(bytes), slots, bytes};
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

// The rest of a plan that has its tiles, for so many rows at a time and splits.
void SetGroups(int64_t threads_y, int64_t splits, const Pass& pass, LaunchPlan* plan) {
  plan->threads_y = threads_y;
  plan->group_threads = plan->threads_x * plan->threads_y;
  // Half of a group's accumulators are sent to the others.
  if (plan->vector_width == 1) plan->group_threads = CeilDiv(plan->group_threads, 2) * 2;
  const int64_t sector_rows = SectorRows(*plan, pass.element_bytes);
  plan->rows_per_split =
      std::max<int64_t>(CeilDiv(CeilDiv(plan->rows, splits), sector_rows), 1) * sector_rows;
  plan->splits = std::max<int64_t>(CeilDiv(plan->rows, plan->rows_per_split), 1);
  plan->units = plan->slabs * plan->splits * plan->tiles;
  // Small groups share a block once there are enough of them for every multiprocessor.
  const int64_t most = std::min(pass.threads / plan->group_threads,
                                BlockColumns(pass.threads, plan->vector_width) / ColumnsOf(*plan));
  plan->groups = std::clamp<int64_t>(plan->units / pass.slots, 1, std::max<int64_t>(most, 1));
  plan->blocks = CeilDiv(plan->units, plan->groups);
  plan->block = CeilDiv(plan->groups * plan->group_threads, 32) * 32;
}

// The time that a plan takes, in eighths of that of a thread's row.
int64_t CostOf(const LaunchPlan& plan, const Pass& pass) {
  const int64_t thread_rows = CeilDiv(plan.rows_per_split, plan.threads_y);
  int64_t rows = thread_rows + kBlockRows;
  if (thread_rows % pass.chunk_rows != 0) rows += kCutChunkRows;
  if (pass.is_forward) {
    for (int64_t left = plan.threads_y * plan.fold; left > 1; left = (left + 1) / 2) {
      rows += kHalvingRows;
    }
    if (plan.splits > 1) rows += kPartialRows * plan.vector_width / plan.threads_y;
  } else {
    rows += kCoefficientRows * CeilDiv(ColumnsOf(plan), plan.group_threads);
    // Stores that fill no line, or no sector, take longer.
    const int64_t row_bytes = plan.threads_x * plan.vector_width * pass.element_bytes;
    const int64_t stored = row_bytes * (plan.tiles > 1 ? 1 : plan.threads_y);
    rows += stored < kSectorBytes ? rows : stored < kLineBytes ? rows / 4 : 0;
  }
  // Blocks of a last wave that isn't full are quicker: half the way from parts of waves to whole
  // ones.
  const int64_t resident = pass.slots * pass.threads / plan.block;
  const int64_t whole = CeilDiv(plan.blocks, resident) * resident;
  const int64_t time = (plan.blocks + whole) * rows * 8 / (2 * resident);
  return time + (pass.is_forward && plan.splits > 1 ? 8 * kSecondLaunchRows : 0);
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
  int64_t least = 0;
  const auto consider = [&](int64_t threads_y, int64_t splits) {
    SetGroups(threads_y, splits, pass, &plan);
    const int64_t cost = CostOf(plan, pass);
    if (best.units != 0 && cost >= least) return;
    best = plan;
    least = cost;
  };
  // A forward pass joins two copies of an accumulator or more (cuda/join.cuh).
  const int64_t least_y = pass.is_forward && plan.fold == 1 ? 2 : 1;
  const int64_t least_splits = std::max<int64_t>(CeilDiv(plan.rows, kMaxSteps / plan.fold), 1);
  const int64_t least_x = std::min(kMaxThreadsX / 8, kLeastColumns / plan.vector_width);
  for (int64_t x = kMaxThreadsX; x >= least_x; x /= 2) {
    SetTiles(x, pass.element_bytes, &plan);
    const int64_t sector_rows = SectorRows(plan, pass.element_bytes);
    const auto whole_sectors = [sector_rows](int64_t rows) {
      return rows - rows % std::min(rows, sector_rows);
    };
    const int64_t most_y = std::max<int64_t>(pass.threads / plan.threads_x, 1);
    // Splits are for blocks of one group.
    const int64_t chunks = plan.rows / (most_y * pass.chunk_rows);
    for (int64_t waves = 1; waves <= kMaxWaves; ++waves) {
      const int64_t splits = std::min(waves * pass.slots / (plan.slabs * plan.tiles), chunks);
      if (splits > least_splits) consider(whole_sectors(most_y), splits);
    }
    for (int64_t y = most_y; y >= least_y; y /= 2) {
      consider(whole_sectors(y), least_splits);
      if (y * 3 / 4 >= least_y) consider(whole_sectors(y * 3 / 4), least_splits);
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

}  // namespace

int64_t AlignmentOf(const core::ForwardBuffers& buffers) { return AlignmentOfAddress(buffers.x); }

int64_t AlignmentOf(const core::GradientBuffers& buffers) {
  return std::min(AlignmentOfAddress(buffers.x), AlignmentOfAddress(buffers.dx));
}

ForwardPlan MakeForwardPlan(const core::Problem& problem, int64_t alignment, const Device& device) {
  const core::Shape& shape = problem.shape;
  const int64_t element_bytes = core::BytesOf(problem.dtype);
  ForwardPlan plan = {};
  LaunchPlan& launch = plan.launch;
  launch = MakePlan(problem, alignment, PassOf(problem, device, /*is_forward=*/true));
  if (launch.splits > 1) {
    const int64_t channels = launch.slabs * launch.width;
    plan.workspace_bytes = launch.splits * channels * PartialBytes(problem);
    const int64_t threads = BlockThreads(element_bytes);
    JoinPlan& join = plan.join;
    join.threads_y = std::clamp<int64_t>(launch.splits, 1, threads);
    join.threads_x = std::clamp<int64_t>(threads / join.threads_y, 1, channels);
    join.blocks = CeilDiv(channels, join.threads_x);
    join.grid = std::min(join.blocks, kMaxGrid);
    join.block = CeilDiv(int64_t{join.threads_x} * join.threads_y, 32) * 32;
  }
  launch.bytes_read = ElementsOf(shape) * element_bytes + plan.workspace_bytes;
  launch.bytes_written =
      OutputBytes(problem, element_bytes) + SavedBytes(problem) + plan.workspace_bytes;
  return plan;
}

LaunchPlan MakeGradientPlan(const core::Problem& problem, int64_t alignment, const Device& device) {
  const int64_t element_bytes = core::BytesOf(problem.dtype);
  LaunchPlan plan = MakePlan(problem, alignment, PassOf(problem, device, /*is_forward=*/false));
  if (problem.shape.time == 0) plan.grid = plan.blocks = 0;
  plan.bytes_written = ElementsOf(problem.shape) * element_bytes;
  plan.bytes_read = plan.bytes_written + OutputBytes(problem, element_bytes) + SavedBytes(problem);
  return plan;
}

}  // namespace cuda
}  // namespace statpool
