// What everything here uses: wide integers, warps, formatted text, and the one way to give up, an
// exception that the CUDA entry points catch.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_BASE_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_BASE_H_

#include <cstdint>
#include <stdexcept>
#include <string>

namespace ptxsim {

using Int128 = __int128;
using UInt128 = unsigned __int128;

constexpr uint32_t kWarpSize = 32;
constexpr uint32_t kAllLanes = ~0u;

// Thrown by Fatal(); never leaves the library (see Guarded() in cudart_api.cc).
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void Fatal(const char* format, ...) __attribute__((format(printf, 1, 2)));

std::string Format(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_BASE_H_
