#include "cuda/launch_plan.h"

#include <algorithm>
#include <numeric>

#include "cc/core/accumulators.h"
#include "cc/core/dtype.h"

namespace statpool {
namespace cuda {
namespace {

constexpr int64_t kMaxThreadsX = 32;        // vectors of a tile
constexpr int64_t kMaxFoldedThreadsX = 64;  // a folded row can't be cut into tiles
constexpr int64_t kSectorBytes = 32;        // what the memory delivers at least
constexpr int64_t kLineBytes = 128;         // and what a warp's request should fill
constexpr int64_t kMaxSteps = 1 << 30;      // counters of a split are 32 bits wide
constexpr int64_t kMaxWaves = 4;            // of blocks, that splits may be chosen to fill

// What a block and a second launch cost beside the rows of their threads, in such rows.
constexpr int64_t kBlockOverheadRows = 8;
constexpr int64_t kJoinOverheadRows = 16;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Vectors, rows and tiles: 16 bytes a thread where the start of every slab and the rows allow it.
void ChooseVectors(int64_t time, int64_t element_bytes, int64_t alignment, LaunchPlan* plan) {
  const int64_t widest = kVectorBytes / element_bytes;
  const int64_t common = std::gcd(plan->width, widest);
  const bool slabs_are_aligned =
      alignment % kVectorBytes == 0 && (common == widest || time * common % widest == 0);
  const bool is_foldable = common == widest || plan->width / common <= kMaxFoldedThreadsX;
  const bool is_wide = slabs_are_aligned && is_foldable && time * plan->width > 0;
  plan->vector_width = is_wide ? widest : 1;
  plan->fold = is_wide ? widest / common : 1;
  plan->rows = CeilDiv(time, plan->fold);
  const int64_t vectors = plan->fold * plan->width / plan->vector_width;
  if (vectors <= kMaxThreadsX || plan->fold > 1) {
    plan->tiles = 1;
    plan->threads_x = vectors;
    return;
  }
  // Tiles of one width, that begin at whole sectors of a row.
  const int64_t sector = std::max<int64_t>(kSectorBytes / element_bytes / plan->vector_width, 1);
  const int64_t wanted = CeilDiv(vectors, kMaxThreadsX);
  plan->threads_x = CeilDiv(CeilDiv(vectors, wanted), sector) * sector;
  plan->tiles = CeilDiv(vectors, plan->threads_x);
}

// The number of splits that takes the least time, counted in the rows of a thread.
int64_t ChooseSplits(const LaunchPlan& plan, int64_t slots, int64_t chunk_rows, bool needs_join) {
  const int64_t unsplit = plan.slabs * plan.tiles;
  const int64_t most = std::max<int64_t>(plan.rows / (plan.threads_y * chunk_rows), 1);
  const auto cost = [&](int64_t splits) {
    const int64_t waves = CeilDiv(unsplit * splits, slots);
    const int64_t rows = CeilDiv(CeilDiv(plan.rows, splits), plan.threads_y);
    return waves * (rows + kBlockOverheadRows) + (splits > 1 && needs_join ? kJoinOverheadRows : 0);
  };
  int64_t best = 1;
  for (int64_t waves = 1; waves <= kMaxWaves; ++waves) {
    const int64_t splits = std::clamp<int64_t>(waves * slots / unsplit, 1, most);
    if (cost(splits) < cost(best)) best = splits;
  }
  return std::max(best, CeilDiv(plan.rows, kMaxSteps / plan.fold));
}

// Rows side by side in memory that together are whole sectors.
int64_t SectorRows(const LaunchPlan& plan, int64_t element_bytes) {
  const int64_t row_bytes = plan.fold * plan.width * element_bytes;
  return plan.tiles > 1 ? 1 : kSectorBytes / std::gcd(row_bytes, kSectorBytes);
}

// Rows at a time: a thread gets `rows_wanted` in all, if a slab has as many and neighbouring
// threads still load whole lines.
int64_t ChooseThreadsY(const LaunchPlan& plan, int64_t element_bytes, int64_t rows_wanted) {
  const int64_t most = std::max<int64_t>(BlockThreads(element_bytes) / plan.threads_x, 1);
  const int64_t row_bytes = plan.threads_x * plan.vector_width * element_bytes;
  const int64_t line_rows = std::min(CeilDiv(kLineBytes, row_bytes), most);
  const int64_t rows = std::clamp(plan.rows / rows_wanted, line_rows, most);
  const int64_t sector_rows = SectorRows(plan, element_bytes);
  return rows < sector_rows ? rows : rows / sector_rows * sector_rows;
}

LaunchPlan MakePlan(const core::Problem& problem, int64_t alignment, const Device& device,
                    int64_t rows_wanted, bool needs_join) {
  const core::Shape& shape = problem.shape;
  const bool last = problem.layout == core::Layout::kChannelsLast;
  const int64_t element_bytes = core::BytesOf(problem.dtype);
  const int64_t threads = BlockThreads(element_bytes);
  LaunchPlan plan = {};
  plan.slabs = last ? shape.batch : shape.batch * shape.channels;
  plan.width = last ? shape.channels : 1;
  if (shape.batch == 0 || shape.channels == 0) return plan;
  ChooseVectors(shape.time, element_bytes, alignment, &plan);
  plan.threads_y = ChooseThreadsY(plan, element_bytes, rows_wanted);
  plan.group_threads = (plan.threads_x * plan.threads_y + 1) / 2 * 2;
  const int64_t slots =
      int64_t{device.multiprocessors} * BlocksPerMultiprocessor(element_bytes, true);
  const int64_t splits = ChooseSplits(plan, slots, rows_wanted, needs_join);
  const int64_t sector_rows = SectorRows(plan, element_bytes);
  plan.rows_per_split =
      std::max<int64_t>(CeilDiv(CeilDiv(plan.rows, splits), sector_rows), 1) * sector_rows;
  plan.splits = std::max<int64_t>(CeilDiv(plan.rows, plan.rows_per_split), 1);
  plan.units = plan.slabs * plan.splits * plan.tiles;
  // Small groups share a block once there are enough of them for every multiprocessor.
  plan.groups = std::clamp<int64_t>(plan.units / slots, 1,
                                    std::max<int64_t>(threads / plan.group_threads, 1));
  plan.blocks = CeilDiv(plan.units, plan.groups);
  plan.grid = std::min(plan.blocks, kMaxGrid);
  plan.block = CeilDiv(plan.groups * plan.group_threads, 32) * 32;
  return plan;
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
  launch = MakePlan(problem, alignment, device, kForwardRows, true);
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
  // The coefficients of a thread's channels are worth many rows.
  LaunchPlan plan = MakePlan(problem, alignment, device, 4 * kGradientRows, false);
  if (problem.shape.time == 0) plan.grid = plan.blocks = 0;
  plan.bytes_written = ElementsOf(problem.shape) * element_bytes;
  plan.bytes_read = plan.bytes_written + OutputBytes(problem, element_bytes) + SavedBytes(problem);
  return plan;
}

}  // namespace cuda
}  // namespace statpool
