// What launch plans know of a device: plain data.
#ifndef STATPOOL_CUDA_DEVICE_H_
#define STATPOOL_CUDA_DEVICE_H_

#include <cuda_runtime_api.h>

#include <cstdint>

namespace statpool {
namespace cuda {

struct Device {
  int32_t multiprocessors;
};

// Describes the current device. Asks the driver once per device and process.
[[nodiscard]] cudaError_t CurrentDevice(Device* device);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_DEVICE_H_
