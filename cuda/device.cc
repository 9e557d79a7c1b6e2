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
  static std::unordered_map<int, Device> known;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = known.find(index);
  if (found != known.end()) {
    *device = found->second;
    return cudaSuccess;
  }
  int multiprocessors = 0;
  const cudaError_t query =
      cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, index);
  if (query != cudaSuccess) return query;
  *device = {multiprocessors};
  known.emplace(index, *device);
  return cudaSuccess;
}

}  // namespace cuda
}  // namespace statpool
