#include "cuda/plan/search.h"

#include <algorithm>
#include <numeric>

#include "cuda/plan/cost.h"

namespace statpool {
namespace cuda {
namespace {

constexpr int64_t kMaxThreadsX = 32;        // vectors of a tile, at most
constexpr int64_t kLeastColumns = 16;       // of a tile of 16-bit elements, at least
constexpr int64_t kMaxFoldedThreadsX = 64;  // vectors of a row of several steps: it has one tile
constexpr int64_t kShiftedVectors = 4;      // the least of a slab whose first row may be cut
constexpr int64_t kMaxWaves = 4;            // of blocks, which splits may be chosen to fill

// Sets vectors and rows: 16 bytes a thread where every slab begins at a vector and rows can be
// folded, or where slabs are 1 wide and hold several vectors.
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

// Cuts rows into tiles of one width, of at most so many vectors, that begin at whole sectors.
void SetTiles(int64_t most_vectors, int64_t element_bytes, LaunchPlan* plan) {
  const int64_t vectors = plan->fold * plan->width / plan->vector_width;
  plan->tiles = 1;
  plan->threads_x = vectors;
  if (vectors <= most_vectors || plan->fold > 1) return;
  const int64_t sector = std::max<int64_t>(kSectorBytes / element_bytes / plan->vector_width, 1);
  plan->threads_x = CeilDiv(CeilDiv(vectors, CeilDiv(vectors, most_vectors)), sector) * sector;
  plan->tiles = CeilDiv(vectors, plan->threads_x);
}

// The fewest rows that are whole sectors together, as one follows the other in memory.
int64_t SectorRows(const LaunchPlan& plan, int64_t element_bytes) {
  const int64_t row_bytes = plan.fold * plan.width * element_bytes;
  return plan.tiles > 1 ? 1 : kSectorBytes / std::gcd(row_bytes, kSectorBytes);
}

// Sets the rest of a plan that has its tiles: a group takes `threads_y` rows at a time, and there
// are at most so many splits and groups of a block.
void SetGroups(int64_t threads_y, int64_t splits, int64_t most_groups, const Pass& pass,
               LaunchPlan* plan) {
  plan->threads_y = threads_y;
  plan->group_threads = plan->threads_x * plan->threads_y;
  // Joining sends half of a group's accumulators to the other half.
  if (plan->vector_width == 1) plan->group_threads = CeilDiv(plan->group_threads, 2) * 2;
  const int64_t sector_rows = SectorRows(*plan, pass.element_bytes);
  plan->rows_per_split =
      std::max<int64_t>(CeilDiv(CeilDiv(plan->rows, splits), sector_rows), 1) * sector_rows;
  plan->splits = std::max<int64_t>(CeilDiv(plan->rows, plan->rows_per_split), 1);
  plan->units = plan->slabs * plan->splits * plan->tiles;
  const int64_t most =
      std::min({pass.Threads() / plan->group_threads, most_groups, plan->units,
                BlockChannels(pass.Threads(), plan->vector_width) / ChannelsOfGroup(*plan)});
  plan->groups = std::max<int64_t>(most, 1);
  plan->blocks = CeilDiv(plan->units, plan->groups);
  plan->block = CeilDiv(plan->groups * plan->group_threads, kWarpThreads) * kWarpThreads;
  plan->resident = Resident(*plan, pass);
}

}  // namespace

// Tries tiles down to a few sectors or kLeastColumns, and groups down to a thread for each vector.
LaunchPlan CheapestPlan(const core::Problem& problem, int64_t alignment, const Pass& pass) {
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
    int64_t groups_before = 0;
    for (int64_t groups = 1;; groups *= 2) {
      SetGroups(threads_y, splits, groups, pass, &plan);
      if (plan.groups == groups_before) break;
      groups_before = plan.groups;
      const double cost = CostOf(plan, pass);
      if (best.units == 0 || cost < least) {
        best = plan;
        least = cost;
      }
      if (splits > 1) break;
    }
  };
  // The forward pass joins two copies of a channel or more (cuda/forward/join.cuh).
  const int64_t least_y = pass.is_forward && plan.fold == 1 ? 2 : 1;
  const int64_t least_splits = std::max<int64_t>(CeilDiv(plan.rows, kMaxRows), 1);
  const int64_t least_x = std::min(kMaxThreadsX / 8, kLeastColumns / plan.vector_width);
  for (int64_t threads_x = kMaxThreadsX; threads_x >= least_x; threads_x /= 2) {
    SetTiles(threads_x, pass.element_bytes, &plan);
    const int64_t sector_rows = SectorRows(plan, pass.element_bytes);
    // A group that takes less than a sector at a time reads it twice.
    const int64_t whole_y = std::max(least_y, std::min({sector_rows, plan.rows, pass.Threads()}));
    const auto whole_sectors = [sector_rows](int64_t rows) {
      return rows - rows % std::min(rows, sector_rows);
    };
    const int64_t most_y = std::max<int64_t>(pass.Threads() / plan.threads_x, 1);
    // Several splits: a block is one group then.
    SetGroups(whole_sectors(most_y), least_splits, 1, pass, &plan);
    const int64_t slots = int64_t{pass.device.multiprocessors} * plan.resident;
    const int64_t chunks = plan.rows / (most_y * pass.ChunkRows());
    int64_t splits_before = least_splits;
    for (int64_t waves = 1; waves <= kMaxWaves; ++waves) {
      const int64_t splits = std::min(waves * slots / (plan.slabs * plan.tiles), chunks);
      if (splits <= splits_before) continue;
      consider(whole_sectors(most_y), splits);
      splits_before = splits;
    }
    for (int64_t threads_y = most_y; threads_y >= std::min(whole_y, most_y); threads_y /= 2) {
      consider(whole_sectors(threads_y), least_splits);
      const int64_t three_quarters = threads_y * 3 / 4;
      if (three_quarters >= whole_y) consider(whole_sectors(three_quarters), least_splits);
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

}  // namespace cuda
}  // namespace statpool
