#include "cc/pybind/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace statpool {
namespace pybind {
namespace {

// Starting a thread takes some 20 microseconds: each must have several times that to do.
constexpr int64_t kNanosecondsPerThread = 100000;

}  // namespace

cpu::ParallelFor ThreadsFor(int64_t num_threads) {
  return [num_threads](int64_t units, int64_t cost, const cpu::Work& work) {
    const int64_t worthwhile = 1 + units * std::max<int64_t>(cost, 1) / kNanosecondsPerThread;
    const int64_t threads = std::clamp<int64_t>(std::min(worthwhile, units), 1, num_threads);
    if (threads == 1) return work(0, units);
    const int64_t block = std::max<int64_t>(1, units / (8 * threads));
    std::atomic<int64_t> next{0};
    const auto run = [&] {
      for (int64_t begin; (begin = next.fetch_add(block)) < units;) {
        work(begin, std::min(begin + block, units));
      }
    };
    std::vector<std::thread> helpers;
    for (int64_t i = 1; i < threads; ++i) helpers.emplace_back(run);
    run();
    for (std::thread& helper : helpers) helper.join();
  };
}

}  // namespace pybind
}  // namespace statpool
