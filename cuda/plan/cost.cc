#include "cuda/plan/cost.h"

#include <algorithm>
#include <cmath>

namespace statpool {
namespace cuda {
namespace {

constexpr int64_t kLineBytes = 128;  // what stores should fill

// Instructions that a thread takes for a row, by the type of its elements, as counted in the
// machine code of sm_90.
struct RowCost {
  double of_16_bits;
  double of_float;
  double of_double;

  double For(int64_t element_bytes) const {
    return element_bytes == 2 ? of_16_bits : element_bytes == 4 ? of_float : of_double;
  }
};
constexpr RowCost kForwardRow = {50, 27, 30};
constexpr RowCost kChannelRow = {42, 24, 28};  // forward, with all items of one channel
constexpr RowCost kGradientRow = {62, 33, 25};

// Other instructions of a thread.
constexpr double kPrologue = 160;
constexpr double kCutRows = 150;       // for a row of one channel that is cut
constexpr double kJoin = 26;           // to join an accumulator to another
constexpr double kResults = 100;       // for the results of a channel
constexpr double kCoefficients = 200;  // for the coefficients of a channel
constexpr double kNumbers = 8;         // to move an accumulator or coefficients to a slot or back

// What such a chunk takes, as a multiple of a whole one.
constexpr double kShortChunk = 1.2;  // of fewer rows
constexpr double kCutChunk = 1.6;    // in which items of a row are not valid

// Fitted to the times of an H100. The first two are cycles of an instruction, while few other warps
// compete, in a loop and in code that runs once.
constexpr double kLoopCycles = 3.5;
constexpr double kOnceCycles = 6;
constexpr double kWaitCycles = 760;  // for memory
constexpr double kSecondLaunchCycles = 1000;
constexpr double kBytesPerCycle = 13;
constexpr double kPartialBytes = 36;  // of the partial results of a channel
constexpr double kLineCycles = 0.4;   // of a line of the first-level cache

// Cycles of an instruction that takes `alone` cycles, where so many warps share a scheduler.
double CyclesOf(double alone, double warps_of_scheduler) {
  return std::max(alone, warps_of_scheduler) + std::min(alone, warps_of_scheduler) / 8;
}

// Instructions of a thread before and after its loop.
double OnceOf(const LaunchPlan& plan, const Pass& pass) {
  const double channels = static_cast<double>(ChannelsOfGroup(plan));
  const double a_thread = std::ceil(channels / plan.group_threads);
  if (!pass.is_forward) {
    return kPrologue + kCoefficients * a_thread + 2 * kNumbers * plan.vector_width;
  }
  if (IsOneChannel(plan)) {
    double instructions = kResults;
    for (int32_t threads = 1; threads < std::min(plan.group_threads, kWarpThreads); threads *= 2) {
      instructions += kJoin;
    }
    return instructions + kJoin * (plan.group_threads / kWarpThreads);
  }
  const double copies = static_cast<double>(plan.threads_y * plan.fold);
  const double joined_at_once = std::max(1.0, std::floor(plan.group_threads / channels));
  return kNumbers * plan.vector_width + kResults * a_thread +
         kJoin * (copies / joined_at_once * a_thread + std::log2(joined_at_once));
}

// What a thread does in its loop over rows.
struct Loop {
  double instructions;
  double waits;  // for memory
};

Loop LoopOf(const LaunchPlan& plan, const Pass& pass) {
  const int64_t chunk_rows = pass.ChunkRows();
  const int64_t thread_rows = CeilDiv(plan.rows_per_split, plan.threads_y);
  const int64_t chunks = thread_rows / chunk_rows;
  const bool has_rest = thread_rows % chunk_rows != 0;
  const bool is_cut = plan.rows * plan.fold != pass.time;
  const bool is_channel = pass.is_forward && IsOneChannel(plan);
  const RowCost& cost = is_channel ? kChannelRow : pass.is_forward ? kForwardRow : kGradientRow;
  const double row = cost.For(pass.element_bytes);
  double rows = static_cast<double>(chunks * chunk_rows);
  if (has_rest) rows += kShortChunk * chunk_rows;
  double instructions = rows * row;
  if (is_cut) instructions += is_channel ? kCutRows : kCutChunk * chunk_rows * row;
  if (plan.vector_width == 1) instructions *= pass.element_bytes == 2 ? 0.25 : 0.5;
  return {instructions, static_cast<double>((chunks > 0) + has_rest + is_cut)};
}

// What so many blocks move through a multiprocessor.
struct Traffic {
  double bytes;
  double lines;  // of the first-level cache
};

Traffic TrafficOf(const LaunchPlan& plan, const Pass& pass, double blocks) {
  const double unit_vectors = static_cast<double>(plan.rows_per_split) * plan.threads_x;
  const double vectors = unit_vectors * plan.groups * blocks;
  const double passes = pass.is_forward ? 1 : 2;
  double bytes = vectors * plan.vector_width * pass.element_bytes * passes;
  // Sectors and lines that are filled in parts are moved more than once.
  const int64_t side_by_side = plan.threads_x * plan.vector_width * pass.element_bytes *
                               (plan.tiles > 1 ? 1 : plan.threads_y);
  if (side_by_side < kSectorBytes) bytes *= 1.5;
  if (!pass.is_forward && side_by_side < kLineBytes) bytes *= 1.25;
  const double lines = vectors / kWarpThreads * passes *
                       std::max<double>(kWarpThreads * kVectorBytes / kLineBytes,
                                        kWarpThreads * kVectorBytes / side_by_side);
  return {bytes, lines};
}

// Adds the time of the second launch: for partial results, written and read, and for joining them.
double WithSecondLaunch(double cycles, const LaunchPlan& plan, const Pass& pass) {
  const double partial = static_cast<double>(plan.slabs * plan.width) * plan.splits;
  cycles += 2 * kPartialBytes * partial / pass.device.multiprocessors / kBytesPerCycle;
  cycles += kSecondLaunchCycles + 2 * kWaitCycles +
            kOnceCycles * (kResults + 6 * kJoin + kJoin * CeilDiv(plan.splits, kWarpThreads));
  return cycles;
}

}  // namespace

double CostOf(const LaunchPlan& plan, const Pass& pass) {
  // The multiprocessors with the most blocks finish last.
  const double blocks = std::ceil(static_cast<double>(plan.blocks) / pass.device.multiprocessors);
  const double waves = std::ceil(blocks / plan.resident);
  const double warps =
      std::min<double>(plan.resident, blocks) * plan.block / kWarpThreads / 4;  // on a scheduler
  const double once = OnceOf(plan, pass) * CyclesOf(kOnceCycles, warps);
  const Loop loop = LoopOf(plan, pass);
  const double path = waves * ((kPrologue + loop.instructions) * CyclesOf(kLoopCycles, warps) +
                               once + loop.waits * kWaitCycles);
  const Traffic traffic = TrafficOf(plan, pass, blocks);
  const double memory = traffic.bytes / kBytesPerCycle + once;
  const double cache = traffic.lines * kLineCycles;
  const double cycles = std::sqrt(path * path + memory * memory + cache * cache);
  return pass.is_forward && plan.splits > 1 ? WithSecondLaunch(cycles, plan, pass) : cycles;
}

}  // namespace cuda
}  // namespace statpool
