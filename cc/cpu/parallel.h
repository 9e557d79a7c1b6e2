// How the kernels spread their units over threads: the caller brings the thread pool.
#ifndef STATPOOL_CPU_PARALLEL_H_
#define STATPOOL_CPU_PARALLEL_H_

#include <cstdint>
#include <functional>

namespace statpool {
namespace cpu {

using Work = std::function<void(int64_t begin, int64_t end)>;

// Calls work on ranges that cover [0, units) exactly once, on any threads, and returns when all are
// done. `cost` is the estimated time of one unit in nanoseconds.
using ParallelFor = std::function<void(int64_t units, int64_t cost, const Work& work)>;

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PARALLEL_H_
