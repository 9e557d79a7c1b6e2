// Plain reads and copies of memory: the floor that benchmarks compare with.
#ifndef STATPOOL_PYBIND_STREAMING_H_
#define STATPOOL_PYBIND_STREAMING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cc/cpu/threads.h"
#include "cc/pybind/streaming_loops.h"

namespace statpool {
namespace pybind {

struct StreamingForm {
  std::string name;
  StreamingLoop loop;
};

// Those that this processor can run.
const std::vector<StreamingForm>& StreamingForms();

// Reads every line of the cache once and returns a sum, so that no read can be left out.
uint64_t StreamingRead(const void* from, int64_t bytes, const StreamingForm& form,
                       cpu::Threads* threads);

// Copies with stores that bypass the caches. `to` is 64-byte aligned.
void StreamingCopy(void* to, const void* from, int64_t bytes, const StreamingForm& form,
                   cpu::Threads* threads);

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_STREAMING_H_
