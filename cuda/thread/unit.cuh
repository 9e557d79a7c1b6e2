// Which unit of work a thread's group owns, which of the unit's columns and rows the thread does,
// and which of their steps are valid: neither masked nor beyond the example's length.
#ifndef STATPOOL_CUDA_THREAD_UNIT_CUH_
#define STATPOOL_CUDA_THREAD_UNIT_CUH_

#include <cstdint>

#include "cc/core/accumulators.h"
#include "cuda/divisor.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace cuda {

struct Unit {
  bool exists;     // whether the group has a unit
  bool is_active;  // whether the thread has columns of it
  int32_t group;   // within the block
  int32_t thread;  // within the group
  int32_t row;     // the thread's first one, counted from first_row
  int32_t rows;    // of the split; kMaxRows keeps them within 32 bits
  int64_t b;
  int64_t first_channel;  // of the slab: 0 but for channels_first
  int64_t slab;
  int64_t split;
  int64_t first_row;     // of the split
  int64_t first_column;  // of the tile
  int64_t column;        // the thread's first one
};

// Sets what depends on the unit's index alone, which has 32 bits or 64.
template <typename Number>
__device__ __forceinline__ void Locate(const LaunchPlan& plan, Number index, Unit* unit) {
  const Number part = Quotient(index, plan.by_tiles);
  const Number slab = Quotient(part, plan.by_splits);
  const Number tile = index - part * static_cast<Number>(plan.tiles);
  const Number b = Quotient(slab, plan.by_slabs_of_example);
  unit->b = b;
  unit->first_channel = slab - b * static_cast<Number>(plan.by_slabs_of_example.by);
  unit->slab = slab;
  unit->split = part - slab * static_cast<Number>(plan.splits);
  unit->first_column = int64_t{tile} * (plan.threads_x * plan.vector_width);
}

// The unit of the thread's group in block `block` of plan.blocks.
__device__ __forceinline__ Unit UnitOf(const LaunchPlan& plan, int64_t block) {
  Unit unit;
  const uint32_t tid = threadIdx.x;
  const uint32_t group = Quotient(tid, plan.by_group_threads);
  const uint32_t thread = tid - group * plan.group_threads;
  const uint32_t row = Quotient(thread, plan.by_threads_x);
  const int64_t index = block * plan.groups + group;
  if (index >> 31 == 0) {
    Locate(plan, static_cast<uint32_t>(index), &unit);
  } else {
    Locate(plan, index, &unit);
  }
  unit.group = group;
  unit.thread = thread;
  unit.row = row;
  unit.first_row = unit.split * plan.rows_per_split;
  unit.rows = static_cast<int32_t>(min(plan.rows_per_split, plan.rows - unit.first_row));
  unit.column = unit.first_column + (thread - row * plan.threads_x) * plan.vector_width;
  unit.exists = group < plan.groups && index < plan.units;
  unit.is_active = unit.exists && row < plan.threads_y && unit.column < plan.row_elements;
  return unit;
}

// The items of a row at [begin, end), as bits.
template <int kVector>
__device__ __forceinline__ uint32_t ItemsBetween(int32_t begin, int32_t end) {
  constexpr uint32_t kAll = (1u << kVector) - 1;
  const uint32_t below_end = end >= kVector ? kAll : end <= 0 ? 0 : (1u << end) - 1;
  return begin <= 0 ? below_end : begin >= kVector ? 0 : below_end & kAll << begin;
}

// The valid steps of a split. They are numbered from the first step of its first row, where a
// vector begins: that step may be before the slab.
struct ValidSteps {
  const bool* mask;  // of step 0, or null
  int64_t first;     // step 0, as a step of the slab
  int32_t begin;     // steps before this one are of the previous slab
  int32_t end;       // from this one on no step is valid; the mask excludes some before it
  int32_t slab_end;  // steps from this one on are of the next slab

  __device__ bool operator()(int32_t step) const {
    return step >= begin && step < end && (mask == nullptr || core::Keeps(mask, step));
  }

  // Whether a row begins with steps of the previous slab. Only the first one of a slab may.
  __device__ bool CutsRow(int32_t row, int64_t fold) const {
    return row * static_cast<int32_t>(fold) < begin;
  }

  // The items of a row that are of the slab, as bits, where slabs are 1 wide.
  template <int kVector>
  __device__ uint32_t ItemsOfSlab(int32_t row, int32_t fold) const {
    return ItemsBetween<kVector>(begin - row * fold, slab_end - row * fold);
  }
};

// The valid steps of the thread's split; none for a thread without columns.
__device__ __forceinline__ ValidSteps ValidStepsOf(const LaunchPlan& plan, const bool* mask,
                                                   const int64_t* lengths, const Unit& unit,
                                                   int64_t time) {
  if (!unit.is_active) return {};
  // How many items before the slab its first vector has.
  const uint32_t slab_begin = static_cast<uint32_t>(unit.slab) * static_cast<uint32_t>(time) *
                              static_cast<uint32_t>(plan.width);
  const auto shift = static_cast<int32_t>(slab_begin & (plan.vector_width - 1));
  const int64_t first = unit.first_row * plan.fold - shift;
  const int32_t steps = unit.rows * static_cast<int32_t>(plan.fold);
  const auto in_split = [&](int64_t step) {
    return static_cast<int32_t>(min(max(step - first, int64_t{0}), int64_t{steps}));
  };
  return {mask == nullptr ? nullptr : mask + unit.b * time + first, first,
          unit.first_row == 0 ? shift : 0, in_split(core::EndOfExample(lengths, unit.b, time)),
          in_split(time)};
}

// Rows of a unit are counted from 0, and a thread does every threads_y-th one. It addresses row r
// at RowZero + r * row_elements: an index into x, and into its gradient.
__device__ __forceinline__ int64_t RowZero(const LaunchPlan& plan, const ValidSteps& is_valid,
                                           const Unit& unit, int64_t time) {
  return (unit.slab * time + is_valid.first) * plan.width + unit.column;
}

// Which items of a thread's vectors are valid, in the rows of a chunk.
template <int kVector, int kRows>
struct ValidItems {
  static constexpr int kBits = kVector * kRows;
  static_assert(kVector <= 16 && 32 % kVector == 0, "the items of a row share a word");
  static_assert(kRows <= 32, "the rows of an item fit into one");
  static constexpr uint32_t kAll = (1u << kVector) - 1;
  static constexpr int kWords = (kBits + 31) / 32;
  uint32_t words[kWords];
  uint32_t whole;  // bit r: all of row r is in the slab

  __device__ void Clear() {
    for (uint32_t& word : words) word = 0;
  }

  // The valid items of row r: bit v for item v.
  __device__ uint32_t Row(int r) const {
    uint32_t word = words[0];  // an index that is not a constant would put words into memory
    for (int w = 1; w < kWords; ++w) {
      if (r * kVector / 32 == w) word = words[w];
    }
    return word >> (r * kVector % 32) & kAll;
  }

  __device__ bool At(int r, int v) const { return Row(r) >> v & 1; }

  __device__ bool IsWhole(int r) const { return whole >> r & 1; }

  // In how many rows item v is valid.
  __device__ int32_t Count(int v) const {
    constexpr uint32_t kFirstItems = 0xffffffffu / kAll;  // bit 0 of every kVector bits
    int32_t count = 0;
    for (uint32_t word : words) count += __popc(word & kFirstItems << v);
    return count;
  }

  __device__ int32_t CountAll() const {
    int32_t count = 0;
    for (uint32_t word : words) count += __popc(word);
    return count;
  }

  // Sets the items of the rows from `row` on, `stride` rows apart. Returns whether all are valid.
  __device__ bool Fill(const LaunchPlan& plan, const ValidSteps& is_valid, const Unit& unit,
                       int32_t row, int32_t stride) {
    const int32_t fold = static_cast<int32_t>(plan.fold);
    const int32_t width = static_cast<int32_t>(plan.width);  // used where fold > 1, so it fits
    const int32_t column = static_cast<int32_t>(unit.column);
    bool all = true;
    Clear();
    whole = 0;
#pragma unroll
    for (int r = 0; r < kRows; ++r, row += stride) {
      const int32_t steps = min(is_valid.end - row * fold, fold);  // of the row, before the end
      // Items are in the order of time, so the valid ones are those before some item.
      const int32_t items = fold == 1 ? (steps > 0 ? kVector : 0) : steps * width - column;
      // Only the first row can begin before the slab.
      const int32_t begin = r == 0 ? is_valid.begin - row * fold : 0;
      uint32_t valid = ItemsBetween<kVector>(begin, items);
      if (is_valid.mask != nullptr && valid != 0) valid &= Unmasked(plan, is_valid, column, row);
      words[r * kVector / 32] |= valid << (r * kVector % 32);
      whole |= static_cast<uint32_t>(begin <= 0 && (row + 1) * fold <= is_valid.slab_end) << r;
      all &= valid == kAll;
    }
    return all;
  }

  // The items of a row that the mask doesn't exclude, if their steps exist.
  static __device__ uint32_t Unmasked(const LaunchPlan& plan, const ValidSteps& is_valid,
                                      int32_t column, int32_t row) {
    if (plan.fold == 1) return core::Keeps(is_valid.mask, row) ? kAll : 0;
    const int32_t first_step = row * static_cast<int32_t>(plan.fold);
    uint32_t items = 0;
    for (int v = 0; v < kVector; ++v) {
      const uint32_t step = Quotient(static_cast<uint32_t>(column + v), plan.by_width);
      items |= static_cast<uint32_t>(is_valid(first_step + static_cast<int32_t>(step))) << v;
    }
    return items;
  }
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_THREAD_UNIT_CUH_
