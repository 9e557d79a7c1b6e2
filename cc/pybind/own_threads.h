// Threads for callers without a framework.
#ifndef STATPOOL_PYBIND_OWN_THREADS_H_
#define STATPOOL_PYBIND_OWN_THREADS_H_

#include <thread>
#include <vector>

#include "cc/cpu/threads.h"

namespace statpool {
namespace pybind {

// Starts up to `count` - 1 threads, that end with this object.
class OwnThreads final : public cpu::Threads {
 public:
  explicit OwnThreads(int64_t count) : count_(count) {}
  ~OwnThreads() override;

  int64_t count() const override { return count_; }
  int64_t start_nanos() const override { return 50'000; }  // to start and end a thread
  void Schedule(std::function<void()> task) override;

 private:
  const int64_t count_;
  std::vector<std::thread> threads_;
};

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_OWN_THREADS_H_
