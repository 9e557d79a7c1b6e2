// Switches, all read from the environment; see the table in README.md.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_OPTIONS_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_OPTIONS_H_

#include <string>

#include "base.h"

namespace ptxsim {

enum class Order { kForward, kReverse, kRandom };

struct Options {
  Order order = Order::kForward;
  uint32_t seed = 1;
  int race_level = 1;  // 0 off, 1 shared memory, 2 also global memory
  bool strict_masks = false;
  bool keep_going = false;
  bool verbose = false;
  bool late_async = true;  // cp.async lands at the wait, not at the issue
  bool faults_are_errors = false;
  bool host_memory = false;  // memory from elsewhere may be touched, unchecked
  std::string stats;         // "", "1" (text on stderr), "json" (in memory) or FILE.json

  // The device that the runtime API describes.
  int compute_capability = 90;
  int sm_count = 132;
  int smem_per_block_optin = 227 * 1024;
  int smem_per_sm = 228 * 1024;
};

// Re-read before every launch, so that a test may change a switch between two launches.
const Options& ReadOptions();
// The switches as they were read last.
const Options& CurrentOptions();

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_OPTIONS_H_
