// The inner loops of streaming reads and copies: several forms, of which the fastest is the limit.
#ifndef STATPOOL_PYBIND_STREAMING_LOOPS_H_
#define STATPOOL_PYBIND_STREAMING_LOOPS_H_

#include <array>
#include <cstdint>

namespace statpool {
namespace pybind {

struct StreamingLoop {
  int streams;      // places of a block that are read in turn
  bool every_byte;  // or one vector of each line of the cache: as much memory, less work
  uint64_t (*read)(const char* block, int64_t bytes);
  void (*copy)(char* to, const char* block, int64_t bytes);  // null if not every byte
};

using StreamingLoops = std::array<StreamingLoop, 4>;

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_STREAMING_LOOPS_H_
