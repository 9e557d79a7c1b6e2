#include "cc/pybind/thread_pool.h"

#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "cc/cpu/shared_work.h"

namespace statpool {
namespace pybind {

cpu::ParallelFor ThreadsFor(int64_t num_threads) {
  constexpr int64_t kStartNanos = 50'000;  // of a new thread, and its end
  return [num_threads](int64_t units, int64_t cost, const cpu::Work& work) {
    std::vector<std::thread> helpers;
    const auto schedule = [&helpers](std::function<void()> run) {
      try {
        helpers.emplace_back(std::move(run));
      } catch (const std::system_error&) {
        // The system has no thread to give: those that run do this one's work too.
      }
    };
    cpu::ShareWork({num_threads, kStartNanos, schedule}, units, cost, work);
    for (std::thread& helper : helpers) helper.join();
  };
}

}  // namespace pybind
}  // namespace statpool
