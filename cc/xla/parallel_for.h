// XLA's own threads for the CPU kernels.
#ifndef STATPOOL_XLA_PARALLEL_FOR_H_
#define STATPOOL_XLA_PARALLEL_FOR_H_

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "cc/cpu/parallel.h"
#include "cc/xla/ffi_api.h"

namespace statpool {
namespace xla {

// Units of work that threads take block by block. A thread of the pool may come when all is taken
// and the caller gone: it shares this object, and touches `work` only after it got a block.
class SharedWork {
 public:
  SharedWork(int64_t units, int64_t block, const cpu::Work& work)
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

  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [this] { return is_finished_; });
  }

 private:
  const int64_t units_;
  const int64_t block_;
  const cpu::Work& work_;
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable finished_;
  bool is_finished_ = false;
};

// The caller works too and waits for running blocks alone, never for a thread to become free: no
// deadlock when it is one of the pool's own threads.
inline cpu::ParallelFor ParallelForOf(::xla::ffi::ThreadPool* pool) {
  constexpr int64_t kWorthAThread = 20'000;  // nanoseconds
  constexpr int64_t kBlocksPerThread = 4;    // threads are not equally fast
  return [pool](int64_t units, int64_t cost, const cpu::Work& work) {
    int64_t threads = std::min(units * cost / kWorthAThread, units);
    if (threads > 1) threads = std::min(threads, pool->num_threads());
    if (threads <= 1) return work(0, units);
    const int64_t blocks = threads * kBlocksPerThread;
    const auto shared = std::make_shared<SharedWork>(units, (units + blocks - 1) / blocks, work);
    for (int64_t i = 1; i < threads; ++i) pool->Schedule([shared] { shared->Run(); });
    shared->Run();
    shared->Wait();
  };
}

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_PARALLEL_FOR_H_
