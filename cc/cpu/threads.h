// How units of work are spread over threads that the caller brings: TensorFlow's, XLA's or its own.
#ifndef STATPOOL_CPU_THREADS_H_
#define STATPOOL_CPU_THREADS_H_

#include <cstdint>
#include <functional>

#include "cc/core/api.h"

namespace statpool {
namespace cpu {

class Threads {
 public:
  virtual ~Threads() = default;
  virtual int64_t count() const = 0;  // including the caller
  // The time until another thread has started. The default fits a pool, whose threads sleep.
  virtual int64_t start_nanos() const { return 8'000; }
  // Runs a task on another thread, now or later.
  virtual void Schedule(std::function<void()> task) = 0;
};

using Work = std::function<void(int64_t begin, int64_t end)>;

// Calls work on ranges that cover [0, units) exactly once: the caller and some of the threads take
// range after range until none is left. `cost` is the estimated time of a unit in nanoseconds.
// Returns when the last unit is done. It never waits for a thread that hasn't begun, so that a
// thread of the same pool can call it without a deadlock.
STATPOOL_API void ShareWork(Threads* threads, int64_t units, int64_t cost, const Work& work);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_THREADS_H_
