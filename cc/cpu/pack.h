// Packs: tiny examples whose channels stand side by side, as if they were the channels of one
// example. The passes over a pack are those over one example; what is here moves its elements and
// results between their own places and the pack.
#ifndef STATPOOL_CPU_PACK_H_
#define STATPOOL_CPU_PACK_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cc/core/problem.h"
#include "cc/cpu/plan.h"
#include "cc/cpu/simd/rows.h"
#include "cc/cpu/simd/transpose.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// A row of the pack's channels for each of kRows statistics or saved fields.
template <typename E, int kRows>
struct PackedRows {
  alignas(kMaxVectorBytes) E elements[kRows * kPackChannels];
};

// [outer, inner, run] becomes [inner, outer, run], for runs of at least kPiece bytes: piece by
// piece, of which the last two overlap.
template <int64_t kPiece>
void SwapAxesBy(const char* from, int64_t outer, int64_t inner, int64_t run, char* to) {
  const int64_t pieces = CeilDiv(run, kPiece);
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t at = std::min(piece * kPiece, run - kPiece);
    for (int64_t i = 0; i < inner; ++i) {
      const char* source = from + i * run + at;
      char* target = to + i * outer * run + at;
      for (int64_t o = 0; o < outer; ++o, source += inner * run, target += run) {
        std::memcpy(target, source, kPiece);
      }
    }
  }
}

// [outer, inner, run] becomes [inner, outer, run].
template <typename E>
__attribute__((noinline)) void SwapAxes(const E* from, int64_t outer, int64_t inner, int64_t run,
                                        E* to) {
  if (inner == 1) {
    std::copy_n(from, outer * run, to);
  } else if (run == 1) {
    TransposeSteps(from, inner, inner, outer, outer, to);
  } else {
    const int64_t bytes = run * sizeof(E);
    const auto swap = bytes >= 32   ? &SwapAxesBy<32>
                      : bytes >= 16 ? &SwapAxesBy<16>
                      : bytes >= 8  ? &SwapAxesBy<8>
                                    : &SwapAxesBy<4>;
    swap(reinterpret_cast<const char*>(from), outer, inner, bytes, reinterpret_cast<char*>(to));
  }
}

// Examples [first, first + examples), which have all their steps.
class Pack {
 public:
  Pack(const core::Problem& problem, const Plan& plan, int64_t index)
      : own_(problem.shape),
        first_(index * plan.examples_per_pack),
        examples_(std::min(plan.examples_per_pack, own_.batch - first_)),
        run_(problem.layout == core::Layout::kChannelsLast ? own_.channels : 1) {}

  int64_t first() const { return first_; }
  int64_t end() const { return first_ + examples_; }
  int64_t width() const { return examples_ * own_.channels; }

  // The call for the pack as one example. Its pointers are still those of the whole call.
  template <typename Arguments>
  Arguments ArgumentsOf(const Arguments& all) const {
    Arguments packed = all;
    packed.problem.shape = {1, own_.time, width()};
    packed.problem.layout = core::Layout::kChannelsLast;
    return packed;
  }

  // The pack's part of a tensor with `rows` elements for each channel.
  template <typename E>
  E* Part(E* tensor, int64_t rows) const {
    return tensor + first_ * rows * own_.channels;
  }

  // Prefetches the pack's part of a [B, rows, C] tensor, or that of `packs` packs later. While a
  // pack is computed, memory is idle otherwise.
  template <typename E>
  void Prefetch(const void* tensor, int64_t rows, int64_t packs) const {
    const auto part =
        reinterpret_cast<uintptr_t>(tensor) + first_ * rows * own_.channels * sizeof(E);
    const int64_t bytes = examples_ * rows * own_.channels * sizeof(E);
    for (int64_t at = 0; at < bytes; at += kCacheLine) PrefetchLine(part + packs * bytes + at);
  }

  // Between the pack's part of x or dx and its steps, a row for each. A single step is in place.
  template <typename T>
  const T* ReadSteps(const void* x, T* steps) const {
    const T* const part = Part(static_cast<const T*>(x), own_.time);
    if (own_.time == 1) return part;
    SwapAxes(part, width() / run_, own_.time, run_, steps);
    return steps;
  }
  template <typename T>
  void WriteSteps(const T* steps, void* dx) const {
    SwapAxes(steps, own_.time, width() / run_, run_, Part(static_cast<T*>(dx), own_.time));
  }

  // Between the pack's part of a [B, rows, C] tensor and the pack's rows.
  template <typename E>
  void ReadRows(const void* tensor, int64_t rows, E* packed) const {
    SwapAxes(Part(static_cast<const E*>(tensor), rows), examples_, rows, own_.channels, packed);
  }
  template <typename E>
  void WriteRows(const E* packed, int64_t rows, void* tensor) const {
    SwapAxes(packed, rows, examples_, own_.channels, Part(static_cast<E*>(tensor), rows));
  }

 private:
  const core::Shape& own_;
  const int64_t first_;
  const int64_t examples_;
  const int64_t run_;  // elements of a step that are together in memory
};

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PACK_H_
