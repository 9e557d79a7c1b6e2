// Whole rows of channels between the storage types and double.
#ifndef STATPOOL_CPU_LANES_H_
#define STATPOOL_CPU_LANES_H_

#include "cc/cpu/simd.h"

namespace statpool {
namespace cpu {
namespace {

// Reads `width` values as doubles.
template <typename From>
void LoadColumns(const From* from, int64_t width, double* values) {
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    StoreRaw(Widen<N>(Load<N>(from + i)), values + i);
  });
}

// Rounds `width` doubles to To.
template <typename To>
void StoreColumns(const double* values, int64_t width, To* to) {
  ForLanes<kLanes<double>>(width, [&](auto lanes, int64_t i) __attribute__((always_inline)) {
    constexpr int N = decltype(lanes)::value;
    const auto value = Narrow<core::ComputeType<To>, N>(LoadRaw<Vec<double, N>>(values + i));
    StoreRaw(Round<To, N>(value), to + i);
  });
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_LANES_H_
