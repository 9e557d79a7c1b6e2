// Streaming reads and copies of one instruction set, as kernels_isa.cc has its kernels.
#include <cstring>

#include "cc/cpu/simd/streaming_store.h"
#include "cc/pybind/streaming_loops.h"

namespace statpool {
namespace pybind {
namespace STATPOOL_ISA {
namespace {

namespace simd = cpu::STATPOOL_ISA;

constexpr int kLine = 64;
constexpr int kVector = simd::kVectorBytes;
using Vector = simd::Vec<uint64_t, kVector / 8>;

// Bytes of each stream of a block, in whole steps.
template <int kStreams>
int64_t StreamBytes(int64_t bytes, int64_t step) {
  return bytes / kStreams / step * step;
}

// The sum of all words that are loaded, so that no load can be left out. Eight sums depend on each
// other's loads as little as registers allow.
template <int kStreams, bool kEveryByte>
uint64_t Read(const char* block, int64_t bytes) {
  constexpr int kSums = 8 / kStreams;
  constexpr int kApart = kEveryByte ? kVector : kLine;
  const int64_t length = StreamBytes<kStreams>(bytes, kSums * kApart);
  Vector sums[kStreams][kSums] = {};
  for (int64_t i = 0; i < length; i += kSums * kApart) {
    for (int s = 0; s < kStreams; ++s) {
      for (int k = 0; k < kSums; ++k) {
        sums[s][k] += simd::LoadRaw<Vector>(block + s * length + i + k * kApart);
      }
    }
  }
  Vector total = {};
  for (const auto& stream : sums) {
    for (const Vector& sum : stream) total += sum;
  }
  uint64_t sum = 0;
  for (int word = 0; word < kVector / 8; ++word) sum += total[word];
  for (int64_t i = kStreams * length; i < bytes; ++i) sum += static_cast<unsigned char>(block[i]);
  return sum;
}

template <int kStreams>
void Copy(char* to, const char* block, int64_t bytes) {
  const int64_t length = StreamBytes<kStreams>(bytes, kLine);
  for (int64_t i = 0; i < length; i += kLine) {
    for (int s = 0; s < kStreams; ++s) {
      for (int k = 0; k < kLine; k += kVector) {
        const int64_t at = s * length + i + k;
        simd::StoreStreaming<kVector>(simd::LoadRaw<Vector>(block + at), to + at);
      }
    }
  }
  std::memcpy(to + kStreams * length, block + kStreams * length, bytes - kStreams * length);
  simd::StreamingFence();
}

}  // namespace

StreamingLoops Loops() {
  return {{{1, true, &Read<1, true>, &Copy<1>},
           {4, true, &Read<4, true>, &Copy<4>},
           {1, false, &Read<1, false>, nullptr},
           {4, false, &Read<4, false>, nullptr}}};
}

}  // namespace STATPOOL_ISA
}  // namespace pybind
}  // namespace statpool
