// The ops of statpool once more, as StatpoolTest>GlobalStats and StatpoolTest>GlobalStatsGrad,
// whose kernels on the CPU are those of the GPU. Load it after the library that has the ops
// themselves.
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <string>

#include "cc/tf/gpu_ops.h"
#include "tensorflow/core/framework/op.h"

namespace statpool {
namespace tf {

// The emulator has one stream that matters, and computes with the registers of this thread: unlike
// a GPU's, TensorFlow has them flush subnormal numbers. It sets them anew for whatever comes next.
cudaStream_t StreamOf(tensorflow::OpKernelContext*) {
#if defined(__x86_64__)
  constexpr unsigned kFlushBits = 0x8040;  // flush to zero, denormals are zero
  _mm_setcsr(_mm_getcsr() & ~kFlushBits);
#endif
  return nullptr;
}

namespace {

// Registers an op that differs from statpool's in nothing but its name.
bool RegisterAlike(const std::string& name) {
  const tensorflow::OpRegistrationData* found;
  auto* const registry = tensorflow::OpRegistry::Global();
  TF_CHECK_OK(registry->LookUp("Statpool>" + name, &found));
  tensorflow::OpRegistrationData alike = *found;
  alike.op_def.set_name("StatpoolTest>" + name);
  registry->Register([alike](tensorflow::OpRegistrationData* data) {
    *data = alike;
    return absl::OkStatus();
  });
  return true;
}

const bool are_registered = RegisterAlike("GlobalStats") && RegisterAlike("GlobalStatsGrad");

REGISTER_KERNEL_BUILDER(
    Name("StatpoolTest>GlobalStats").Device(tensorflow::DEVICE_CPU).HostMemory("lengths"),
    GlobalStatsOpGpu);
REGISTER_KERNEL_BUILDER(
    Name("StatpoolTest>GlobalStatsGrad").Device(tensorflow::DEVICE_CPU).HostMemory("lengths"),
    GlobalStatsGradientOpGpu);

}  // namespace
}  // namespace tf
}  // namespace statpool
