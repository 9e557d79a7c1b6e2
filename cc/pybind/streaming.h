// Plain reads and copies of memory: the floor that benchmarks compare with.
#ifndef STATPOOL_PYBIND_STREAMING_H_
#define STATPOOL_PYBIND_STREAMING_H_

#include <cstdint>

#include "cc/cpu/threads.h"

namespace statpool {
namespace pybind {

// Reads every byte once and returns their 64-bit words' sum, so that no read can be left out.
uint64_t StreamingRead(const void* from, int64_t bytes, cpu::Threads* threads);

// Copies with stores that bypass the caches. `to` is 16-byte aligned.
void StreamingCopy(void* to, const void* from, int64_t bytes, cpu::Threads* threads);

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_STREAMING_H_
