// The values of a chunk of rows, as sums and extremes ask for them: by column, or all of them where
// they are of one channel; and which of them count.
#ifndef STATPOOL_CUDA_FORWARD_CHUNK_VALUES_CUH_
#define STATPOOL_CUDA_FORWARD_CHUNK_VALUES_CUH_

#include <cstdint>

#include "cc/core/problem.h"
#include "cuda/launch_plan.h"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

constexpr int kRows = kForwardRows;

// A thread's vectors of a chunk, zero where nothing counts.
template <typename T, int kVector>
using Rows = Vector<T, kVector>[kRows];
template <int kVector>
using Valid = ValidItems<kVector, kRows>;

// ------------------------------------------------------------------------------------------------
// Which items count. Each of these offers Counts(r, v) of item v in row r, Items(r), all of a
// row as bits, Kept<T>(r, word), all bits of what counts in a word of a row, Steps(v), how many
// rows of item v count, and AllSteps. Opaque() is the same to all but the compiler, which would
// keep what it has worked out once, in more registers than there are.

struct AllRows {
  static constexpr bool kAll = true;
  static constexpr bool kCountsFirst = true;  // item 0 of row 0

  __device__ __forceinline__ bool Counts(int, int) const { return true; }
  __device__ __forceinline__ uint32_t Items(int) const { return 0xffffffff; }
  __device__ __forceinline__ int32_t Steps(int) const { return kRows; }
  template <int kVector>
  __device__ __forceinline__ int32_t AllSteps() const {
    return kRows * kVector;
  }
  template <typename T>
  __device__ __forceinline__ uint32_t Kept(int, int) const {
    return 0xffffffff;
  }
  __device__ __forceinline__ AllRows Opaque() const { return {}; }
};

// Whole rows that fill no chunk.
struct FirstRows {
  static constexpr bool kAll = false;
  static constexpr bool kCountsFirst = true;
  int32_t rows;

  __device__ __forceinline__ bool Counts(int r, int) const { return r < rows; }
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
  static constexpr bool kCountsFirst = false;
  Valid<kItems> valid;

  __device__ __forceinline__ bool Counts(int r, int v) const { return valid.At(r, v); }
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
// Values: kParts times kPartSize of them, v[i] being 0 where v.Counts(i) doesn't hold. Any() is one
// that counts, if there is any; ForEach(use) calls use(value, whether it counts). After
// Reload() the compiler unpacks values again, which takes less registers than to keep them.

// Of item v of each row.
template <typename T, int kVector, typename Which>
struct ColumnValues {
  static constexpr int kParts = 1;
  static constexpr int kPartSize = kRows;
  using Compute = core::ComputeType<T>;
  Compute values[kRows];
  const Which& which;
  int item;

  __device__ __forceinline__ ColumnValues(const Rows<T, kVector>& rows, const Which& of, int v)
      : which(of), item(v) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) values[r] = ToCompute(rows[r].Item(v));
  }

  __device__ __forceinline__ Compute operator[](int i) const { return values[i]; }
  __device__ __forceinline__ bool Counts(int i) const { return which.Counts(i, item); }
  __device__ __forceinline__ int32_t Steps() const { return which.Steps(item); }

  __device__ __forceinline__ Compute Any() const {
    Compute any = values[0];
#pragma unroll
    for (int r = 1; r < kRows; ++r) {
      if (!Which::kCountsFirst && Counts(r)) any = values[r];
    }
    return any;
  }

  __device__ __forceinline__ void Reload() const {}

  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll
    for (int r = 0; r < kRows; ++r) use(values[r], Counts(r));
  }
};

// Of all items.
template <typename T, int kVector, typename Which>
struct ChannelValues {
  static constexpr int kParts = kRows;
  static constexpr int kPartSize = kVector;
  using Compute = core::ComputeType<T>;
  Rows<T, kVector>& rows;
  mutable Which which;

  __device__ __forceinline__ Compute operator[](int i) const {
    return ToCompute(rows[i / kVector].Item(i % kVector));
  }
  __device__ __forceinline__ bool Counts(int i) const {
    return which.Counts(i / kVector, i % kVector);
  }

  __device__ __forceinline__ int32_t Steps() const { return which.template AllSteps<kVector>(); }

  __device__ __forceinline__ Compute Any() const {
    Compute any = (*this)[0];
    if constexpr (!Which::kCountsFirst) {
      ForEach([&](Compute value, bool counts) {
        if (counts) any = value;
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

  // By row: all of it written out would not fit into the instruction cache.
  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll 1
    for (int k = 0; k < kRows; ++k) {
      Vector<T, kVector> row = {};
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        if (r == k) row = rows[r];
      }
      const uint32_t counting = which.Items(k);
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        use(ToCompute(row.Item(v)), (counting >> v & 1) != 0);
      }
    }
  }
};

// Of one row, whose items are of one channel; `items` are those that count, as bits. The others are
// `rest`.
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
    for (int v = 0; v < kVector; ++v) values[v] = Counts(v) ? ToCompute(row.Item(v)) : rest;
  }

  __device__ __forceinline__ Compute operator[](int i) const { return values[i]; }
  __device__ __forceinline__ bool Counts(int i) const { return items >> i & 1; }
  __device__ __forceinline__ int32_t Steps() const { return __popc(items); }
  __device__ __forceinline__ void Reload() const {}

  __device__ __forceinline__ Compute Any() const {
    Compute any = 0;
    ForEach([&](Compute value, bool counts) {
      if (counts) any = value;
    });
    return any;
  }

  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll
    for (int v = 0; v < kVector; ++v) use(values[v], Counts(v));
  }
};

// NaN of every type, or two of a 16-bit one.
constexpr uint32_t kNanWord = 0x7fff7fff;

// Sets what doesn't count to `word`.
template <typename T, int kVector, typename Which>
__device__ __forceinline__ void Fill(const Which& which, uint32_t word, Rows<T, kVector>& rows) {
  if constexpr (!Which::kAll) {
    const Which opaque = which.Opaque();
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
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
