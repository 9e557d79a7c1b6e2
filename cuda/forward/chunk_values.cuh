// The values of a chunk in the forms in which sums and extremes read them: those of a column, or
// all of them where they are of one channel; and which of them are valid.
#ifndef STATPOOL_CUDA_FORWARD_CHUNK_VALUES_CUH_
#define STATPOOL_CUDA_FORWARD_CHUNK_VALUES_CUH_

#include <cstdint>

#include "cc/core/problem.h"
#include "cuda/launch_plan.h"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// A thread's vectors of a chunk, 0 where no item is valid.
template <typename T, int kVector>
using Rows = Vector<T, kVector>[kForwardRows];
template <int kVector>
using Valid = ValidItems<kVector, kForwardRows>;

// Finds row k, which is not a constant: rows are in registers, which have no index.
template <typename T, int kVector>
__device__ __forceinline__ void FindRow(const Rows<T, kVector>& rows, int k,
                                        Vector<T, kVector>* row) {
#pragma unroll
  for (int r = 0; r < kForwardRows; ++r) {
    if (r == k) *row = rows[r];
  }
}

// ------------------------------------------------------------------------------------------------
// Which items of a chunk are valid. Each of these types has
//   IsValid(r, v)     whether item v of row r is
//   Items(r)          the items of row r, as bits
//   Kept<T>(r, word)  a mask that has all bits of the valid items in a word of row r
//   Steps(v)          in how many rows item v is valid
//   AllSteps          how many items are valid
//   Opaque()          a copy whose value the compiler doesn't know. It would else keep what it has
//                     computed once, in more registers than there are.

struct AllRows {
  static constexpr bool kAll = true;
  static constexpr bool kIsFirstValid = true;  // item 0 of row 0

  __device__ __forceinline__ bool IsValid(int, int) const { return true; }
  __device__ __forceinline__ uint32_t Items(int) const { return 0xffffffff; }
  __device__ __forceinline__ int32_t Steps(int) const { return kForwardRows; }
  template <int kVector>
  __device__ __forceinline__ int32_t AllSteps() const {
    return kForwardRows * kVector;
  }
  template <typename T>
  __device__ __forceinline__ uint32_t Kept(int, int) const {
    return 0xffffffff;
  }
  __device__ __forceinline__ AllRows Opaque() const { return {}; }
};

// The first few rows of a chunk, as a whole.
struct FirstRows {
  static constexpr bool kAll = false;
  static constexpr bool kIsFirstValid = true;
  int32_t rows;

  __device__ __forceinline__ bool IsValid(int r, int) const { return r < rows; }
  __device__ __forceinline__ uint32_t Items(int r) const { return r < rows ? 0xffffffff : 0; }
  __device__ __forceinline__ int32_t Steps(int) const { return rows; }
  template <int kVector>
  __device__ __forceinline__ int32_t AllSteps() const {
    return rows * kVector;
  }
  template <typename T>
  __device__ __forceinline__ uint32_t Kept(int r, int) const {
    return r < rows ? 0xffffffff : 0;
  }
  __device__ __forceinline__ FirstRows Opaque() const {
    int32_t same = rows;
    asm volatile("" : "+r"(same));
    return {same};
  }
};

template <int kItems>
struct SomeItems {
  static constexpr bool kAll = false;
  static constexpr bool kIsFirstValid = false;
  Valid<kItems> valid;

  __device__ __forceinline__ bool IsValid(int r, int v) const { return valid.At(r, v); }
  __device__ __forceinline__ uint32_t Items(int r) const { return valid.Row(r); }
  __device__ __forceinline__ int32_t Steps(int v) const { return valid.Count(v); }
  template <int kVector>
  __device__ __forceinline__ int32_t AllSteps() const {
    return valid.CountAll();
  }
  template <typename T>
  __device__ __forceinline__ uint32_t Kept(int r, int word) const {
    const uint32_t items = valid.Row(r);
    if constexpr (sizeof(T) == 2) {
      return (items >> 2 * word & 1) * 0xffff | (items >> (2 * word + 1) & 1) * 0xffff0000;
    }
    return 0u - (items >> word * 4 / static_cast<int>(sizeof(T)) & 1);
  }
  __device__ __forceinline__ SomeItems Opaque() const {
    SomeItems same = *this;
    for (uint32_t& word : same.valid.words) asm volatile("" : "+r"(word));
    return same;
  }
};

// ------------------------------------------------------------------------------------------------
// Values of a chunk v. Each of these types has
//   v[i]          for i in [0, kParts * kPartSize), 0 where v.IsValid(i) is false
//   Steps()       how many are valid
//   Any()         a valid one, if there is one
//   ForEach(use)  calls use(value, whether it is valid)
//   Reload()      makes the compiler unpack values again after it, which takes fewer registers than
//                 keeping them

// Item v of each row.
template <typename T, int kVector, typename Which>
struct ColumnValues {
  static constexpr int kParts = 1;
  static constexpr int kPartSize = kForwardRows;
  using Compute = core::ComputeType<T>;
  Compute values[kForwardRows];
  const Which& which;
  int item;

  __device__ __forceinline__ ColumnValues(const Rows<T, kVector>& rows, const Which& of, int v)
      : which(of), item(v) {
#pragma unroll
    for (int r = 0; r < kForwardRows; ++r) values[r] = ToCompute(rows[r].Item(v));
  }

  __device__ __forceinline__ Compute operator[](int i) const { return values[i]; }
  __device__ __forceinline__ bool IsValid(int i) const { return which.IsValid(i, item); }
  __device__ __forceinline__ int32_t Steps() const { return which.Steps(item); }

  __device__ __forceinline__ Compute Any() const {
    Compute any = values[0];
#pragma unroll
    for (int r = 1; r < kForwardRows; ++r) {
      if (!Which::kIsFirstValid && IsValid(r)) any = values[r];
    }
    return any;
  }

  __device__ __forceinline__ void Reload() const {}

  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll
    for (int r = 0; r < kForwardRows; ++r) use(values[r], IsValid(r));
  }
};

// All items, which are of one channel.
template <typename T, int kVector, typename Which>
struct ChannelValues {
  static constexpr int kParts = kForwardRows;
  static constexpr int kPartSize = kVector;
  using Compute = core::ComputeType<T>;
  Rows<T, kVector>& rows;
  mutable Which which;

  __device__ __forceinline__ Compute operator[](int i) const {
    return ToCompute(rows[i / kVector].Item(i % kVector));
  }
  __device__ __forceinline__ bool IsValid(int i) const {
    return which.IsValid(i / kVector, i % kVector);
  }

  __device__ __forceinline__ int32_t Steps() const { return which.template AllSteps<kVector>(); }

  __device__ __forceinline__ Compute Any() const {
    Compute any = (*this)[0];
    if constexpr (!Which::kIsFirstValid) {
      ForEach([&](Compute value, bool is_valid) {
        if (is_valid) any = value;
      });
    }
    return any;
  }

  __device__ __forceinline__ void Reload() const {
#pragma unroll
    for (Vector<T, kVector>& row : rows) {
      for (uint32_t& word : row.words) asm volatile("" : "+r"(word));
    }
    which = which.Opaque();
  }

  // Row by row in a loop: unrolled, it would not fit into the instruction cache.
  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll 1
    for (int k = 0; k < kForwardRows; ++k) {
      Vector<T, kVector> row = {};
      FindRow<T, kVector>(rows, k, &row);
      const uint32_t items = which.Items(k);
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        use(ToCompute(row.Item(v)), (items >> v & 1) != 0);
      }
    }
  }
};

// The items of one row, which are of one channel. `items` are the valid ones, as bits; the others
// are `rest`.
template <typename T, int kVector>
struct RowValues {
  static constexpr int kParts = 1;
  static constexpr int kPartSize = kVector;
  using Compute = core::ComputeType<T>;
  Compute values[kVector];
  uint32_t items;

  __device__ __forceinline__ RowValues(const Vector<T, kVector>& row, uint32_t of_row,
                                       Compute rest = 0)
      : items(of_row & ((1u << kVector) - 1)) {
#pragma unroll
    for (int v = 0; v < kVector; ++v) values[v] = IsValid(v) ? ToCompute(row.Item(v)) : rest;
  }

  __device__ __forceinline__ Compute operator[](int i) const { return values[i]; }
  __device__ __forceinline__ bool IsValid(int i) const { return items >> i & 1; }
  __device__ __forceinline__ int32_t Steps() const { return __popc(items); }
  __device__ __forceinline__ void Reload() const {}

  __device__ __forceinline__ Compute Any() const {
    Compute any = 0;
    ForEach([&](Compute value, bool is_valid) {
      if (is_valid) any = value;
    });
    return any;
  }

  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll
    for (int v = 0; v < kVector; ++v) use(values[v], IsValid(v));
  }
};

// NaN of every type, or two of a 16-bit one.
constexpr uint32_t kNanWord = 0x7fff7fff;

// Sets the words of items that are not valid to `word`.
template <typename T, int kVector, typename Which>
__device__ __forceinline__ void Fill(const Which& which, uint32_t word, Rows<T, kVector>& rows) {
  if constexpr (!Which::kAll) {
    const Which opaque = which.Opaque();
#pragma unroll
    for (int r = 0; r < kForwardRows; ++r) {
#pragma unroll
      for (int w = 0; w < Vector<T, kVector>::kWords; ++w) {
        const uint32_t kept = opaque.template Kept<T>(r, w);
        rows[r].words[w] = (rows[r].words[w] & kept) | (word & ~kept);
      }
    }
  }
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_CHUNK_VALUES_CUH_
