// What one request of a warp costs the memory that serves it.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_REQUESTS_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_REQUESTS_H_

#include <cstdint>

#include "machine.h"

namespace ptxsim {

constexpr int kSectorBytes = 32, kLineBytes = 128;

// Of shared memory.
uint64_t CountPasses(const Request& request);
// Different pieces of so many bytes, sectors or lines, of global memory.
uint64_t CountPieces(const Request& request, int piece_bytes);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_REQUESTS_H_
