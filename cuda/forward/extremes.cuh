// The largest and the least values of a chunk and of what came before, and how many equal them.
// NaN wins and equals nothing.
#ifndef STATPOOL_CUDA_FORWARD_EXTREMES_CUH_
#define STATPOOL_CUDA_FORWARD_EXTREMES_CUH_

#include <cstdint>
#include <limits>

#include "cuda/forward/accumulator.cuh"
#include "cuda/forward/chunk_values.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

__device__ __forceinline__ float Larger(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double Larger(double a, double b) { return fmax(a, b); }

// Updates *extreme and *count, which are of kSign times the values so far, by the values v, which
// are NaN where they are not valid. `is_nan` says whether a valid one is NaN.
template <int kSign, typename Values, typename Compute, typename Count>
__device__ __forceinline__ void AddExtreme(const Values& v, bool is_nan, Compute* extreme,
                                           Count* count) {
  constexpr Compute kNan = std::numeric_limits<Compute>::quiet_NaN();
  Compute best = kSign * *extreme;
#pragma unroll
  for (int i = 0; i < Values::kParts * Values::kPartSize; ++i) best = Larger(best, kSign * v[i]);
  best = is_nan || *extreme != *extreme ? kNan : kSign * best;
  int32_t equal = 0;
#pragma unroll
  for (int i = 0; i < Values::kParts * Values::kPartSize; ++i) equal += v[i] == best;
  *count = (*extreme == best ? *count : 0) + equal;
  *extreme = best;
}

// ------------------------------------------------------------------------------------------------
// Two 16-bit values at a time, where the architecture can compare them. Items that are not valid
// are -infinity, and are taken from the count of an extreme that is -infinity.

template <typename T>
__device__ __forceinline__ uint32_t LeastPair() {
  T least;
  Round(-std::numeric_limits<float>::infinity(), &least);
  return least.bits * 0x10001u;
}

// The largest in each half among `best` and the words [first, end) of the rows, in which the bits
// `flip` are flipped.
template <typename T, int kVector>
__device__ __forceinline__ uint32_t LargerPairs(const Rows<T, kVector>& rows, int first, int end,
                                                uint32_t best, uint32_t flip = 0) {
#pragma unroll
  for (int r = 0; r < kForwardRows; ++r) {
#pragma unroll
    for (int word = first; word < end; ++word)
      best = LargerPair<T>(best, rows[r].words[word] ^ flip);
  }
  return best;
}

// How many items of these words equal the halves of `best`, a count in each half of the result.
// `invalid` has the counts of items that are not valid, which are -infinity.
template <typename T, int kVector>
__device__ __forceinline__ uint32_t CountPairs(const Rows<T, kVector>& rows, int first, int end,
                                               uint32_t best, uint32_t invalid, uint32_t flip = 0) {
  // EqualPair is 0xffff in each equal half: a sum of lower * 0xffff + upper * 0xffff0000, which is
  // lower * 65535 - upper * 65536 in 32 bits.
  uint32_t equal = 0;
#pragma unroll
  for (int r = 0; r < kForwardRows; ++r) {
#pragma unroll
    for (int word = first; word < end; ++word)
      equal += EqualPair<T>(rows[r].words[word] ^ flip, best);
  }
  equal = 0 - equal;  // lower + 65536 * (upper - lower); the next line adds 65536 * lower
  return equal + (equal << 16) - (invalid & EqualPair<T>(best, LeastPair<T>()));
}

// The largest of kSign times the values of each column of a thread, two in a word, and how many
// equal it, also two in a word: a thread has no more rows than 16 bits can count (kMaxRows).
template <typename T, int kVector, int kSign>
struct PairExtremes {
  static constexpr int kWords = kVector / 2;
  static constexpr uint32_t kFlip = kSign < 0 ? 0x80008000 : 0;  // the sign bits
  uint32_t best[kWords];
  uint32_t counts[kWords];

  __device__ __forceinline__ PairExtremes() {
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      best[w] = LeastPair<T>();
      counts[w] = 0;
    }
  }

  // Adds the valid items of the rows, and sets the others to kSign * -infinity.
  template <typename Which>
  __device__ __forceinline__ void Add(Rows<T, kVector>& rows, const Which& which) {
    Fill<T, kVector>(which, LeastPair<T>() ^ kFlip, rows);
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      const uint32_t invalid = Which::kAll ? 0
                                           : kForwardRows - which.Steps(2 * w) +
                                                 (kForwardRows - which.Steps(2 * w + 1) << 16);
      const uint32_t larger = LargerPairs<T, kVector>(rows, w, w + 1, best[w], kFlip);
      counts[w] = (counts[w] & EqualPair<T>(best[w], larger)) +
                  CountPairs<T, kVector>(rows, w, w + 1, larger, invalid, kFlip);
      best[w] = larger;
    }
  }

  // Calls use(v, value, count) for each column.
  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use& use) const {
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const Vector<T, 2> pair = {{best[v / 2] ^ kFlip}};
      use(v, ToCompute(pair.Item(v % 2)),
          static_cast<int32_t>(counts[v / 2] >> v % 2 * 16 & 0xffff));
    }
  }
};

// Has no extremes, where they are found one value at a time.
struct NoExtremes {
  template <typename... Arguments>
  __device__ __forceinline__ void Add(Arguments&...) {}
  template <typename Use>
  __device__ __forceinline__ void ForEach(const Use&) const {}
};

// Adds all items of a chunk, which are of one channel, to its maximum.
template <typename T, int kVector, typename Which, typename AccumulatorOf>
__device__ __forceinline__ void AddMaximumOfAll(Rows<T, kVector>& rows, const Which& which,
                                                AccumulatorOf* accumulator) {
  Fill<T, kVector>(which, LeastPair<T>(), rows);
  T before;
  Round(accumulator->max, &before);
  const uint32_t invalid =
      Which::kAll ? 0 : kForwardRows * kVector - which.template AllSteps<kVector>();
  uint32_t best = before.bits * 0x10001u;
  best = LargerPairs<T, kVector>(rows, 0, kVector / 2, best);
  best = LargerPair<T>(best, best >> 16 | best << 16);
  const uint32_t equal = CountPairs<T, kVector>(rows, 0, kVector / 2, best, 0);
  const Vector<T, 2> pair = {{best}};
  const float largest = ToCompute(pair.Item(0));
  const uint32_t count = (equal & 0xffff) + (equal >> 16);
  accumulator->max_count = (accumulator->max == largest ? accumulator->max_count : 0) +
                           static_cast<int32_t>(count - (best == LeastPair<T>() ? invalid : 0));
  accumulator->max = largest;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_FORWARD_EXTREMES_CUH_
