// The properties of a device that plans depend on: plain data, also where there is no CUDA toolkit.
#ifndef STATPOOL_CUDA_DEVICE_PROPERTIES_H_
#define STATPOOL_CUDA_DEVICE_PROPERTIES_H_

#include <cstdint>

namespace statpool {
namespace cuda {

struct Device {
  int32_t multiprocessors;
  // The rest is of one multiprocessor, by default that of an H100.
  int32_t architecture = 90;  // compute capability, times ten
  int32_t threads = 2048;
  int32_t blocks = 32;
  int64_t shared_bytes = 228 << 10;
};

// A device with the numbers of the CUDA Programming Guide for an architecture, or for the last one
// before it that is in the table.
constexpr Device DeviceOf(int32_t architecture, int32_t multiprocessors) {
  constexpr Device kTable[] = {
      {0, 75, 1024, 16, 64 << 10},   {0, 80, 2048, 32, 164 << 10}, {0, 86, 1536, 16, 100 << 10},
      {0, 89, 1536, 24, 100 << 10},  {0, 90, 2048, 32, 228 << 10}, {0, 100, 2048, 32, 228 << 10},
      {0, 120, 1536, 24, 100 << 10},
  };
  Device device = kTable[0];
  for (const Device& row : kTable) {
    if (row.architecture <= architecture) device = row;
  }
  device.architecture = architecture;
  device.multiprocessors = multiprocessors;
  return device;
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_DEVICE_PROPERTIES_H_
