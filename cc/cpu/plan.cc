#include "cc/cpu/plan.h"

#include <algorithm>
#include <numeric>

#include "cc/core/accumulators.h"

namespace statpool {
namespace cpu {
namespace {

constexpr int64_t kMinRows = 8;             // folding costs more than it saves with fewer rows
constexpr int64_t kUnitElements = 1 << 15;  // below this a unit is not worth a thread
constexpr int64_t kShortTime = 512;         // joining the lanes of a channel costs most up to here
constexpr int64_t kFewChannels = 8;         // fewer leave lanes idle
constexpr int64_t kMaxSteps = 1 << 30;      // lane counters are 32 bits wide
// Time is split until there are so many units: two for each of 16 cores. The plan doesn't ask how
// many cores there are, because results must not depend on it. More splits cost workspace and
// joins.
constexpr int64_t kEnoughUnits = 32;

// Moving elements and results costs more than it saves with fewer examples, or fewer lanes.
constexpr int64_t kLeastPack = 4;
constexpr int64_t kLeastPackChannels = 16;
constexpr int64_t kTinyElements = 128;  // larger examples gain too little

static_assert(kTransposedChannels % kMaxFold == 0, "the largest group is of whole vectors");

// The size of the fewest equal parts of `all` that are at most `most`.
int64_t EvenPart(int64_t all, int64_t most) { return CeilDiv(all, CeilDiv(all, most)); }

// Short rows waste vector lanes. A dense [T, C] array is also a dense [T / k, k * C] one: k is the
// smallest factor that makes its rows a multiple of kMaxFold, if enough rows remain.
int64_t Fold(const core::Shape& shape, int64_t row_channels) {
  if (row_channels >= 2 * kMaxFold) return 1;
  int64_t fold = kMaxFold / std::gcd(row_channels, kMaxFold);
  while (fold > 1 && shape.time < fold * kMinRows) fold /= 2;
  return fold;
}

// Tiny examples are packed until their channels fill vectors, so that what a unit costs beside its
// steps is paid once for many. A pack has `fold` lanes for each channel, as one example has.
int64_t ExamplesPerPack(const core::Shape& shape, int64_t fold) {
  if (shape.time == 0 || shape.time * shape.channels > kTinyElements) return 1;
  const int64_t channels = std::min(kPackChannels / fold, kPackElements / shape.time);
  const int64_t examples = channels / shape.channels;
  if (channels < kLeastPackChannels || examples < kLeastPack) return 1;
  return std::min(examples, shape.batch);
}

// Rounded up, because an odd number of 4-byte numbers may come last and the next split begins with
// 8-byte ones.
int64_t PartialBytes(const core::Problem& problem) {
  const bool is_double = problem.dtype == core::DType::kFloat64;
  const int64_t sum = is_double ? 16 : 4;      // with its rounding error; a PackedSum
  const int64_t extreme = is_double ? 16 : 8;  // with its count
  const core::NeededSums needed = core::NeededSumsOf(problem.statistics);
  const int64_t channel = core::NeededBytes(needed, sum, sizeof(double), extreme);
  return RoundUp(channel * problem.shape.channels, 8);
}

}  // namespace

Plan MakePlan(const core::Problem& problem) {
  const core::Shape& shape = problem.shape;
  const core::Layout layout = shape.time == 1 ? core::Layout::kChannelsLast : problem.layout;
  Plan plan;
  plan.layout = layout;
  if (shape.batch == 0 || shape.channels == 0) return plan;
  const int64_t time = std::max<int64_t>(shape.time, 1);
  if (layout == core::Layout::kChannelsLast) {
    plan.fold = Fold(shape, shape.channels);
    plan.channels_per_tile = std::min(shape.channels, kMostLanes);
  } else if (shape.time <= kShortTime && shape.channels >= kFewChannels) {
    plan.is_transposed = true;
    plan.channels_per_tile = EvenPart(shape.channels, kTransposedChannels);
    const int64_t group = EvenPart(shape.batch * shape.channels, kTransposedChannels);
    plan.channels_per_group = RoundUp(group, kMaxFold);
  } else {
    plan.fold = Fold(shape, 1);
    plan.channels_per_tile =
        std::clamp<int64_t>(kUnitElements / time, 1, std::min(shape.channels, kSeriesChannels));
  }
  plan.tiles = CeilDiv(shape.channels, plan.channels_per_tile);
  plan.examples_per_pack = ExamplesPerPack(shape, plan.fold);
  const int64_t unsplit_units = CeilDiv(shape.batch, plan.examples_per_pack) * plan.tiles;
  const int64_t unit_elements = time * plan.channels_per_tile;
  const int64_t wanted =
      std::min(CeilDiv(kEnoughUnits, unsplit_units), unit_elements / kUnitElements);
  const int64_t splits = std::max({wanted, CeilDiv(time, kMaxSteps), int64_t{1}});
  const int64_t chunk = plan.fold * kMinRows;  // a split is a multiple of it
  plan.steps_per_split = RoundUp(CeilDiv(time, splits), chunk);
  plan.splits = CeilDiv(time, plan.steps_per_split);
  plan.units = unsplit_units * plan.splits;
  if (plan.splits > 1) {
    plan.partial_bytes = PartialBytes(problem);
    plan.workspace_bytes = plan.splits * shape.batch * plan.partial_bytes;
  }
  return plan;
}

}  // namespace cpu
}  // namespace statpool
