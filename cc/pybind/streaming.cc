#include "cc/pybind/streaming.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "cc/cpu/instruction_set.h"

namespace statpool {
namespace pybind {

// Of streaming_isa.cc.
namespace baseline {
StreamingLoops Loops();
}
#if defined(__x86_64__)
namespace avx2 {
StreamingLoops Loops();
}
namespace avx512 {
StreamingLoops Loops();
}
#endif

namespace {

constexpr int64_t kBlockBytes = 1 << 20;

std::vector<StreamingForm> MakeForms() {
  const std::pair<std::string, StreamingLoops (*)()> compiled[] = {
#if defined(__x86_64__)
      {"avx512", &avx512::Loops},
      {"avx2", &avx2::Loops},
#endif
      {cpu::CompiledInstructionSets().back().name, &baseline::Loops},
  };
  std::vector<StreamingForm> forms;
  for (const auto& [name, loops] : compiled) {
    if (cpu::FindInstructionSet(name) == nullptr) continue;
    for (const StreamingLoop& loop : loops()) {
      forms.push_back({name + ", " + std::to_string(loop.streams) +
                           (loop.streams == 1 ? " stream" : " streams") +
                           (loop.every_byte ? "" : ", a vector of each line"),
                       loop});
    }
  }
  return forms;
}

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

const std::vector<StreamingForm>& StreamingForms() {
  static const std::vector<StreamingForm> forms = MakeForms();
  return forms;
}

uint64_t StreamingRead(const void* from, int64_t bytes, const StreamingForm& form,
                       cpu::Threads* threads) {
  std::atomic<uint64_t> total{0};
  ForBlocks(bytes, threads, [&](int64_t first, int64_t count) {
    total += form.loop.read(static_cast<const char*>(from) + first, count);
  });
  return total;
}

void StreamingCopy(void* to, const void* from, int64_t bytes, const StreamingForm& form,
                   cpu::Threads* threads) {
  ForBlocks(bytes, threads, [&](int64_t first, int64_t count) {
    form.loop.copy(static_cast<char*>(to) + first, static_cast<const char*>(from) + first, count);
  });
}

}  // namespace pybind
}  // namespace statpool
