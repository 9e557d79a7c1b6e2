// The device that launchers plan for.
#ifndef STATPOOL_CUDA_DEVICE_H_
#define STATPOOL_CUDA_DEVICE_H_

#include <cuda_runtime_api.h>

#include "cc/core/api.h"
#include "cuda/device_properties.h"

namespace statpool {
namespace cuda {

// Describes the current device. Asks the driver once per device and process.
[[nodiscard]] STATPOOL_API cudaError_t CurrentDevice(Device* device);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_DEVICE_H_
