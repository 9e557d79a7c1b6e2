#include "cuda/launch_plan.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cc/core/accumulators.h"
#include "cc/core/dtype.h"
#include "cuda/plan/pass.h"
#include "cuda/plan/search.h"

namespace statpool {
namespace cuda {
namespace {

int64_t ElementsOf(const core::Shape& shape) { return shape.batch * shape.time * shape.channels; }

int64_t SavedBytes(const core::Problem& problem) {
  const int64_t fields = core::SavedFieldsOf(problem.statistics).size;
  return problem.shape.batch * problem.shape.channels * fields *
         core::ComputeBytesOf(problem.dtype);
}

int64_t OutputBytes(const core::Problem& problem, int64_t element_bytes) {
  return problem.shape.batch * problem.shape.channels * problem.statistics.size * element_bytes;
}

// Bytes of the partial results of a channel in a split, whose counts have 64 bits.
int64_t PartialBytes(const core::Problem& problem) {
  return AccumulatorBytes(core::NeededSumsOf(problem.statistics),
                          core::ComputeBytesOf(problem.dtype), 8);
}

int64_t AlignmentOfAddress(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer) | kVectorBytes;
  return static_cast<int64_t>(address & -address);
}

// Returns make(), or what it returned for the same arguments not long ago, because making a plan
// takes longer than launching it.
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
  // Padding may make equal arguments differ, but never makes different ones equal.
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
  launch = CheapestPlan(problem, alignment, pass);
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
  LaunchPlan plan = CheapestPlan(problem, alignment, pass);
  WithKnownTerms(core::GradientTermsOf(problem.statistics), [&](const auto& terms) {
    Pass of_terms = pass;
    of_terms.slot_bytes = CoefficientBytes(core::kMost<std::decay_t<decltype(terms)>>,
                                           core::ComputeBytesOf(problem.dtype));
    plan.shared_bytes = SharedBytes(plan, of_terms, /*has_channel_kernel=*/true);
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
