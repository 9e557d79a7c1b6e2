#include "cuda/device.h"

#include <mutex>
#include <unordered_map>

namespace statpool {
namespace cuda {

cudaError_t CurrentDevice(Device* device) {
  int index = 0;
  const cudaError_t error = cudaGetDevice(&index);
  if (error != cudaSuccess) return error;
  static std::mutex mutex;
  static std::unordered_map<int, Device> described;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = described.find(index);
  if (found != described.end()) {
    *device = found->second;
    return cudaSuccess;
  }
  int values[6];
  constexpr cudaDeviceAttr kAttributes[] = {
      cudaDevAttrMultiProcessorCount,        cudaDevAttrComputeCapabilityMajor,
      cudaDevAttrComputeCapabilityMinor,     cudaDevAttrMaxThreadsPerMultiProcessor,
      cudaDevAttrMaxBlocksPerMultiprocessor, cudaDevAttrMaxSharedMemoryPerMultiprocessor};
  for (int i = 0; i < 6; ++i) {
    const cudaError_t query = cudaDeviceGetAttribute(&values[i], kAttributes[i], index);
    if (query != cudaSuccess) return query;
  }
  *device = {values[0], values[1] * 10 + values[2], values[3], values[4], values[5]};
  described.emplace(index, *device);
  return cudaSuccess;
}

}  // namespace cuda
}  // namespace statpool
