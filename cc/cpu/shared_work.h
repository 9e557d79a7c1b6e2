// One scheduler for every thread pool: the caller and some of the pool's threads take blocks of
// units, one after the other, until none is left.
#ifndef STATPOOL_CPU_SHARED_WORK_H_
#define STATPOOL_CPU_SHARED_WORK_H_

#include <cstdint>
#include <functional>

#include "cc/cpu/parallel.h"

namespace statpool {
namespace cpu {

// Has a function called on another thread, now or later.
using Schedule = std::function<void(std::function<void()>)>;

// Until a sleeping thread of a pool runs.
constexpr int64_t kPoolStartNanos = 8'000;

// What a caller has to offer.
struct Threads {
  int64_t count;        // the caller among them
  int64_t start_nanos;  // what it takes until another thread has started
  Schedule schedule;
};

// ParallelFor on these threads. Returns when the last unit is done, and waits for no thread that
// has not begun: called from one of the pool's own threads, it can't deadlock.
void ShareWork(const Threads& threads, int64_t units, int64_t cost, const Work& work);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SHARED_WORK_H_
