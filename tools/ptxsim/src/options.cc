// Reads the switches from the environment.
#include "options.h"

#include <cstdlib>

namespace ptxsim {
namespace {

Options g_options;
bool g_read = false;

int IntFromEnv(const char* name, int fallback) {
  const char* value = std::getenv(name);
  return value && *value ? std::atoi(value) : fallback;
}

std::string StringFromEnv(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

}  // namespace

const Options& ReadOptions() {
  Options o;
  std::string order = StringFromEnv("PTXSIM_ORDER", "fwd");
  if (order == "rev") o.order = Order::kReverse;
  if (order.compare(0, 4, "rand") == 0) {
    o.order = Order::kRandom;
    if (order.size() > 4) o.seed = std::atoi(order.c_str() + 4);
  }
  o.race_level = IntFromEnv("PTXSIM_RACE", 1);
  o.strict_masks = IntFromEnv("PTXSIM_STRICT", 0);
  o.keep_going = IntFromEnv("PTXSIM_KEEP_GOING", 0);
  o.verbose = IntFromEnv("PTXSIM_VERBOSE", 0);
  o.late_async = StringFromEnv("PTXSIM_ASYNC", "late") != "early";
  o.faults_are_errors = StringFromEnv("PTXSIM_ON_FAULT", "exit") == "error";
  o.host_memory = IntFromEnv("PTXSIM_HOST_MEMORY", 0);
  o.stats = StringFromEnv("PTXSIM_STATS", "");
  if (o.stats == "0") o.stats.clear();
  o.compute_capability = IntFromEnv("PTXSIM_CC", o.compute_capability);
  o.sm_count = IntFromEnv("PTXSIM_SM_COUNT", o.sm_count);
  o.smem_per_block_optin = IntFromEnv("PTXSIM_SMEM_OPTIN", o.smem_per_block_optin);
  o.smem_per_sm = IntFromEnv("PTXSIM_SMEM_PER_SM", o.smem_per_sm);
  g_options = o;
  g_read = true;
  return g_options;
}

const Options& CurrentOptions() { return g_read ? g_options : ReadOptions(); }

}  // namespace ptxsim
