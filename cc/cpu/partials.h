// What is kept of each split of time until all are joined: the rows of its tile, as they are.
#ifndef STATPOOL_CPU_PARTIALS_H_
#define STATPOOL_CPU_PARTIALS_H_

#include <cstring>

#include "cc/cpu/kernels.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/tile.h"

namespace statpool {
namespace cpu {
namespace {

// Calls copy(row of the tile, its place in memory, bytes) for each row of `width` channels.
template <typename TileOf, typename Copy>
void ForEachPartialRow(const ForwardArguments& a, const core::Needs& needs, TileOf* tile, int64_t b,
                       int64_t split, int64_t first_channel, int64_t width, const Copy& copy) {
  const int64_t channels = a.problem.shape.channels;
  char* row = a.partials + (b * a.plan.splits + split) * PartialBytes(needs, a.dtype) * channels;
  const auto visit = [&](auto* lanes) {
    copy(lanes, row + first_channel * sizeof *lanes, width * sizeof *lanes);
    row += channels * sizeof *lanes;
  };
  ForEachRow(needs, visit, tile);
}

template <typename TileOf>
void StorePartial(const ForwardArguments& a, const core::Needs& needs, const TileOf& tile,
                  int64_t b, int64_t split, int64_t first_channel, int64_t width) {
  ForEachPartialRow(a, needs, &tile, b, split, first_channel, width,
                    [](const void* lanes, void* row, size_t bytes) { memcpy(row, lanes, bytes); });
}

template <typename TileOf>
void LoadPartial(const ForwardArguments& a, const core::Needs& needs, int64_t b, int64_t split,
                 int64_t first_channel, int64_t width, TileOf* tile) {
  ForEachPartialRow(a, needs, tile, b, split, first_channel, width,
                    [](void* lanes, const void* row, size_t bytes) { memcpy(lanes, row, bytes); });
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PARTIALS_H_
