// The handlers of cc/xla for JAX. TensorFlow's XLA has one table of handlers; JAX takes them by
// pointer, so here they register in a table of our own, which Python reads.
#include <map>
#include <string>

#include "cc/xla/ffi_api.h"

namespace {

// By target and platform, with a blank between them.
std::map<std::string, XLA_FFI_Handler*>& Handlers() {
  static std::map<std::string, XLA_FFI_Handler*> handlers;
  return handlers;
}

XLA_FFI_Error* Register(XLA_FFI_Handler_Register_Args* args) {
  const std::string target(args->name.ptr, args->name.len);
  const std::string platform(args->platform.ptr, args->platform.len);
  Handlers()[target + " " + platform] = args->bundle.execute;
  return nullptr;
}

}  // namespace

const XLA_FFI_Api* xla::ffi::GetXlaFfiApi() {
  static XLA_FFI_Api only_registers = {};
  only_registers.XLA_FFI_Handler_Register = Register;
  return &only_registers;
}

// The handler for a custom call on a platform, "Host" or "CUDA", or null.
extern "C" __attribute__((visibility("default"))) void* StatpoolFindHandler(const char* name) {
  const auto found = Handlers().find(name);
  return found == Handlers().end() ? nullptr : reinterpret_cast<void*>(found->second);
}

// The version that XLA compares with its own; Python compares it first.
extern "C" __attribute__((visibility("default"))) int StatpoolFfiMinorVersion() {
  return XLA_FFI_API_MINOR;
}
