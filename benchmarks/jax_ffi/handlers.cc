// The handlers of cc/xla for JAX. TensorFlow's XLA has one table of handlers; JAX takes them by
// pointer, so here they register in a list of our own, which Python reads.
#include <string>
#include <vector>

#include "cc/core/statistics.h"
#include "cc/cpu/plan.h"
#include "cc/xla/ffi_api.h"
#include "tests/native/native_call.h"

#define STATPOOL_EXPORT extern "C" __attribute__((visibility("default")))

using statpool::tests::NativeCall;
using statpool::tests::ProblemOf;

namespace {

struct Handler {
  std::string target;
  std::string platform;
  XLA_FFI_Handler* run;
};

std::vector<Handler>& Handlers() {
  static std::vector<Handler> handlers;
  return handlers;
}

XLA_FFI_Error* Register(XLA_FFI_Handler_Register_Args* args) {
  Handlers().push_back({std::string(args->name.ptr, args->name.len),
                        std::string(args->platform.ptr, args->platform.len), args->bundle.execute});
  return nullptr;
}

}  // namespace

const XLA_FFI_Api* xla::ffi::GetXlaFfiApi() {
  static XLA_FFI_Api only_registers = {};
  only_registers.XLA_FFI_Handler_Register = Register;
  return &only_registers;
}

// The handler for a custom call on "Host" or "CUDA", or null.
STATPOOL_EXPORT void* StatpoolHandler(const char* target, const char* platform) {
  for (const Handler& handler : Handlers()) {
    if (handler.target == target && handler.platform == platform) {
      return reinterpret_cast<void*>(handler.run);
    }
  }
  return nullptr;
}

STATPOOL_EXPORT int StatpoolPlanes(const NativeCall* call) {
  return statpool::core::SavedFieldsOf(ProblemOf(*call).statistics).size;
}

// What the handler on "Host" wants as a third result; on "CUDA" it asks XLA itself.
STATPOOL_EXPORT int64_t StatpoolHostWorkspaceBytes(const NativeCall* call) {
  return statpool::cpu::MakePlan(ProblemOf(*call)).workspace_bytes;
}
