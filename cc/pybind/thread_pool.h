// A plain ParallelFor for callers without a framework's threads.
#ifndef STATPOOL_PYBIND_THREAD_POOL_H_
#define STATPOOL_PYBIND_THREAD_POOL_H_

#include "cc/cpu/parallel.h"

namespace statpool {
namespace pybind {

// Runs work on up to num_threads threads that live as long as the call.
cpu::ParallelFor ThreadsFor(int64_t num_threads);

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_THREAD_POOL_H_
