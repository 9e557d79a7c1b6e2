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

}  // namespace

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
  if (thread_rows > chunks * chunk_rows) rows += kShortChunk * chunk_rows;
  double loop = rows * row;
  const bool is_cut = plan.rows * plan.fold != pass.time;
  if (is_cut)
    loop += pass.is_forward && IsOneChannel(plan) ? kCutRows : kCutChunk * chunk_rows * row;
  if (plan.vector_width == 1) loop *= pass.element_bytes == 2 ? 0.25 : 0.5;
  const double once = OnceOf(plan, pass);

  const double blocks = static_cast<double>(plan.blocks);
  const double of_multiprocessor = blocks / pass.device.multiprocessors;
  const double most = std::ceil(of_multiprocessor);
  const double waves = std::ceil(most / plan.resident);
  const double warps =
      std::min<double>(plan.resident, most) * plan.block / kWarpThreads / 4;  // on a scheduler
  const double once_cycles = once * CyclesOf(kOnceCycles, warps);
  const double waits = (chunks > 0) + (thread_rows % chunk_rows != 0) + is_cut;
  const double path = waves * ((kPrologue + loop) * CyclesOf(kLoopCycles, warps) + once_cycles +
                               waits * kWaitCycles);

  // Bytes that the multiprocessors with the most blocks move, which finish last.
  const double unit_rows = static_cast<double>(plan.rows_per_split) * plan.threads_x;
  const double vectors = unit_rows * plan.groups * most;
  const double passes = pass.is_forward ? 1 : 2;
  double bytes = vectors * plan.vector_width * pass.element_bytes * passes;
  // Sectors and lines that are filled in parts are moved more than once.
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

}  // namespace cuda
}  // namespace statpool
