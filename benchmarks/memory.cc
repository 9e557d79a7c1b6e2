// Reads and copies of memory that compute nothing: no call can take less time for as many bytes.
// Several loops do the same, of which the fastest is the limit: they take one place of a block or
// four in turn, every byte or one vector of each cache line. Compiled for the processor at hand.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "cc/cpu/simd/streaming_store.h"

namespace {

namespace simd = statpool::cpu::STATPOOL_ISA;

constexpr int64_t kBlock = 1 << 20;
constexpr int kLine = 64;
constexpr int kVector = simd::kVectorBytes;
using Vector = simd::Vec<uint64_t, kVector / 8>;

// Eight sums of all words that are loaded, so that no load can be left out and none waits long.
template <int kStreams, int kApart>
uint64_t Read(const char* block, int64_t bytes) {
  constexpr int kSums = 8 / kStreams;
  const int64_t length = bytes / kStreams / (kSums * kApart) * (kSums * kApart);
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
    for (const Vector& words : stream) total += words;
  }
  uint64_t sum = 0;
  for (int word = 0; word < kVector / 8; ++word) sum += total[word];
  for (int64_t i = kStreams * length; i < bytes; ++i) sum += static_cast<unsigned char>(block[i]);
  return sum;
}

// Stores bypass the caches. `to` is aligned to a line.
template <int kStreams>
void Copy(char* to, const char* block, int64_t bytes) {
  const int64_t length = bytes / kStreams / kLine * kLine;
  for (int64_t i = 0; i < length; i += kLine) {
    for (int64_t at = i; at < kStreams * length; at += length) {
      for (int64_t k = at; k < at + kLine; k += kVector) {
        simd::StoreStreaming<kVector>(simd::LoadRaw<Vector>(block + k), to + k);
      }
    }
  }
  std::memcpy(to + kStreams * length, block + kStreams * length, bytes - kStreams * length);
  simd::StreamingFence();
}

constexpr decltype(&Read<1, kLine>) kReads[] = {&Read<1, kVector>, &Read<4, kVector>,
                                                &Read<1, kLine>, &Read<4, kLine>};
constexpr decltype(&Copy<1>) kCopies[] = {&Copy<1>, &Copy<4>};

template <typename Work>
void ForBlocks(int64_t bytes, int threads, const Work& work) {
  std::atomic<int64_t> next{0};
  const auto run = [&] {
    for (int64_t first; (first = next.fetch_add(kBlock)) < bytes;) {
      work(first, std::min(kBlock, bytes - first));
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(run);
  run();
  for (std::thread& other : others) other.join();
}

}  // namespace

extern "C" uint64_t ReadAll(const char* from, int64_t bytes, int loop, int threads) {
  std::atomic<uint64_t> sum{0};
  ForBlocks(bytes, threads,
            [&](int64_t first, int64_t count) { sum += kReads[loop](from + first, count); });
  return sum;
}

extern "C" void CopyAll(char* to, const char* from, int64_t bytes, int loop, int threads) {
  ForBlocks(bytes, threads,
            [&](int64_t first, int64_t count) { kCopies[loop](to + first, from + first, count); });
}
