// The properties of a device that plans depend on: plain data, also where there is no CUDA toolkit.
#ifndef STATPOOL_CUDA_DEVICE_PROPERTIES_H_
#define STATPOOL_CUDA_DEVICE_PROPERTIES_H_

#include <cstdint>

namespace statpool {
namespace cuda {

struct Device {
  int32_t multiprocessors;
};

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_DEVICE_PROPERTIES_H_
