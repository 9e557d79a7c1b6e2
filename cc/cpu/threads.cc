#include "cc/cpu/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace statpool {
namespace cpu {
namespace {

constexpr int64_t kBlocksPerThread = 8;             // threads are not equally fast
constexpr std::chrono::microseconds kSpinTime(20);  // as long as falling asleep and waking up

// Units that threads take block by block. A thread may begin when all blocks are taken and the
// caller has returned: so it shares this object, and touches `work` only after it got a block.
class SharedWork {
 public:
  SharedWork(int64_t units, int64_t block, const Work& work)
      : units_(units), block_(block), work_(work) {}

  // Works until no block is left.
  void Run() {
    for (;;) {
      const int64_t begin = next_.fetch_add(block_, std::memory_order_relaxed);
      if (begin >= units_) return;
      const int64_t end = std::min(begin + block_, units_);
      work_(begin, end);
      if (done_.fetch_add(end - begin, std::memory_order_acq_rel) + end - begin < units_) continue;
      const std::lock_guard<std::mutex> lock(mutex_);
      is_finished_ = true;
      finished_.notify_one();
    }
  }

  // Spins for a while first: what is left of other threads' last blocks is often shorter than a
  // sleep.
  void Wait() {
    const auto until = std::chrono::steady_clock::now() + kSpinTime;
    while (std::chrono::steady_clock::now() < until) {
      if (done_.load(std::memory_order_acquire) == units_) return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [this] { return is_finished_; });
  }

 private:
  const int64_t units_;
  const int64_t block_;
  const Work& work_;
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable finished_;
  bool is_finished_ = false;
};

}  // namespace

void ShareWork(Threads* threads, int64_t units, int64_t cost, const Work& work) {
  // A second thread is worthwhile if half of the work takes longer than starting it.
  const int64_t worthwhile = units * std::max<int64_t>(cost, 1) / (2 * threads->start_nanos());
  const int64_t count = std::min({threads->count(), units, 1 + worthwhile});
  if (count <= 1) return work(0, units);
  const int64_t block = std::max<int64_t>(1, units / (kBlocksPerThread * count));
  const auto shared = std::make_shared<SharedWork>(units, block, work);
  for (int64_t i = 1; i < count; ++i) threads->Schedule([shared] { shared->Run(); });
  shared->Run();
  shared->Wait();
}

}  // namespace cpu
}  // namespace statpool
