#include "cc/pybind/streaming.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "cc/cpu/streaming_store.h"

namespace statpool {
namespace pybind {
namespace {

namespace simd = cpu::STATPOOL_ISA;

constexpr int64_t kBlockBytes = 1 << 18;

// Calls work(first, bytes) for each block.
template <typename BlockWork>
void ForBlocks(int64_t bytes, cpu::Threads* threads, const BlockWork& work) {
  const int64_t blocks = (bytes + kBlockBytes - 1) / kBlockBytes;
  cpu::ShareWork(threads, blocks, kBlockBytes / 10, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlockBytes;
      work(first, std::min(kBlockBytes, bytes - first));
    }
  });
}

}  // namespace

uint64_t StreamingRead(const void* from, int64_t bytes, cpu::Threads* threads) {
  std::atomic<uint64_t> total{0};
  ForBlocks(bytes, threads, [&](int64_t first, int64_t count) {
    const char* block = static_cast<const char*>(from) + first;
    constexpr int kWords = 8;  // independent sums: the loads are the only limit
    simd::Vec<uint64_t, kWords> sums[2] = {};
    int64_t i = 0;
    for (; i + 128 <= count; i += 128) {
      sums[0] += simd::LoadRaw<simd::Vec<uint64_t, kWords>>(block + i);
      sums[1] += simd::LoadRaw<simd::Vec<uint64_t, kWords>>(block + i + 64);
    }
    uint64_t sum = 0;
    for (int word = 0; word < kWords; ++word) sum += sums[0][word] + sums[1][word];
    for (; i < count; ++i) sum += static_cast<unsigned char>(block[i]);
    total += sum;
  });
  return total;
}

void StreamingCopy(void* to, const void* from, int64_t bytes, cpu::Threads* threads) {
  ForBlocks(bytes, threads, [&](int64_t first, int64_t count) {
    const char* source = static_cast<const char*>(from) + first;
    char* target = static_cast<char*>(to) + first;
    int64_t i = 0;
    for (; i + 64 <= count; i += 64) {
      const auto line = simd::LoadRaw<simd::Vec<uint64_t, 8>>(source + i);
      simd::StoreStreaming<simd::kLeastStreamingBytes>(line, target + i);
    }
    std::memcpy(target + i, source + i, count - i);
    simd::StreamingFence();
  });
}

}  // namespace pybind
}  // namespace statpool
