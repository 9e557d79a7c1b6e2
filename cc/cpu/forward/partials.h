// Partial results: the accumulators of each split, in the workspace until all splits are joined.
#ifndef STATPOOL_CPU_FORWARD_PARTIALS_H_
#define STATPOOL_CPU_FORWARD_PARTIALS_H_

#include <algorithm>
#include <type_traits>

#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/forward/packed_sum.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Calls move(row of the accumulators, its place in memory, width) for each row of `width` channels.
// Sums are packed, except those of float64, which carry their rounding errors, and `unrounded`,
// because the mean of the deviations must not be rounded. Rows of 8-byte numbers come first, so
// that they are aligned whatever the number of 4-byte ones.
template <typename Accumulators, typename Move>
void ForEachPartialRow(const ForwardArguments& a, const core::NeededSums& needed,
                       Accumulators* accumulators, int64_t b, int64_t split, int64_t first_channel,
                       int64_t width, const Move& move) {
  constexpr bool can_pack =
      !std::is_same_v<typename std::remove_const_t<Accumulators>::Compute, double>;
  const int64_t channels = a.problem.shape.channels;
  char* row = static_cast<char*>(a.workspace) + (b * a.plan.splits + split) * a.plan.partial_bytes;
  const auto visit_rows_of = [&](auto bytes) {
    constexpr size_t kBytes = decltype(bytes)::value;
    const auto visit_as = [&](auto* lanes, auto* stored) {
      if constexpr (sizeof *stored == kBytes) {
        stored = reinterpret_cast<decltype(stored)>(row);
        move(lanes, stored + first_channel, width);
        row += channels * sizeof *stored;
      }
    };
    const auto visit = [&](auto* lanes) {
      using Lane = std::remove_const_t<std::remove_pointer_t<decltype(lanes)>>;
      if constexpr (can_pack && std::is_same_v<Lane, double>) {
        if (lanes != accumulators->unrounded)
          return visit_as(lanes, static_cast<PackedSum*>(nullptr));
      }
      visit_as(lanes, static_cast<Lane*>(nullptr));
    };
    ForEachRow(needed, visit, accumulators);
  };
  visit_rows_of(std::integral_constant<size_t, 8>());
  visit_rows_of(std::integral_constant<size_t, 4>());
}

template <typename Accumulators>
void StorePartial(const ForwardArguments& a, const core::NeededSums& needed,
                  const Accumulators& accumulators, int64_t b, int64_t split, int64_t first_channel,
                  int64_t width) {
  const auto store = [](const auto* lanes, auto* stored, int64_t width) {
    std::copy_n(lanes, width, stored);
  };
  ForEachPartialRow(a, needed, &accumulators, b, split, first_channel, width, store);
}

template <typename Accumulators>
void LoadPartial(const ForwardArguments& a, const core::NeededSums& needed, int64_t b,
                 int64_t split, int64_t first_channel, int64_t width, Accumulators* accumulators) {
  const auto load = [](auto* lanes, const auto* stored, int64_t width) {
    std::copy_n(stored, width, lanes);
  };
  ForEachPartialRow(a, needed, accumulators, b, split, first_channel, width, load);
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_PARTIALS_H_
