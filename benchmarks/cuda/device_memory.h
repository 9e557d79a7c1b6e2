// Device memory that frees itself, and times by events. Errors end the program: a benchmark has
// nobody to return them to.
#ifndef STATPOOL_BENCHMARKS_CUDA_DEVICE_MEMORY_H_
#define STATPOOL_BENCHMARKS_CUDA_DEVICE_MEMORY_H_

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

namespace statpool {
namespace bench {

inline void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "bench_kernels: %s failed: %s\n", what, cudaGetErrorString(error));
  std::exit(2);
}

class DeviceMemory {
 public:
  explicit DeviceMemory(int64_t size) : size_(size) {
    if (size > 0) Check(cudaMalloc(&data_, size), "allocating");
  }
  explicit DeviceMemory(const std::vector<char>& bytes)
      : DeviceMemory(static_cast<int64_t>(bytes.size())) {
    if (size_ > 0) Check(cudaMemcpy(data_, bytes.data(), size_, cudaMemcpyHostToDevice), "sending");
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { Check(cudaFree(data_), "freeing"); }

  std::vector<char> Fetch() const {
    std::vector<char> bytes(size_);
    Check(cudaMemcpy(bytes.data(), data_, size_, cudaMemcpyDeviceToHost), "fetching");
    return bytes;
  }
  void* get() const { return data_; }

 private:
  void* data_ = nullptr;
  int64_t size_;
};

struct Times {
  double low, median, high;  // ms: quantiles 0.2, 0.5 and 0.8
};

// Times work by events, each sample with a cold L2 cache.
class Stopwatch {
 public:
  explicit Stopwatch(int samples) : samples_(samples), flush_(FlushBytes()) {
    Check(cudaEventCreate(&begin_), "creating an event");
    Check(cudaEventCreate(&end_), "creating an event");
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() {
    Check(cudaEventDestroy(begin_), "destroying an event");
    Check(cudaEventDestroy(end_), "destroying an event");
  }

  Times Measure(const std::function<void()>& work) {
    work();  // the first time loads code
    std::vector<double> times;
    for (int i = 0; i < samples_; ++i) {
      Check(cudaMemsetAsync(flush_.get(), i, FlushBytes(), nullptr), "flushing L2");
      Check(cudaEventRecord(begin_, nullptr), "recording");
      work();
      Check(cudaEventRecord(end_, nullptr), "recording");
      Check(cudaEventSynchronize(end_), "running");
      float milliseconds;
      Check(cudaEventElapsedTime(&milliseconds, begin_, end_), "timing");
      times.push_back(milliseconds);
    }
    std::sort(times.begin(), times.end());
    const auto quantile = [&](double share) { return times[share * (times.size() - 1) + 0.5]; };
    return {quantile(0.2), quantile(0.5), quantile(0.8)};
  }

 private:
  // Twice the L2 cache.
  static int64_t FlushBytes() {
    int device = 0, bytes = 0;
    Check(cudaGetDevice(&device), "asking for the device");
    Check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device), "asking for L2");
    return std::max<int64_t>(2 * int64_t{bytes}, 1 << 20);
  }

  int samples_;
  DeviceMemory flush_;
  cudaEvent_t begin_, end_;
};

// GB/s of a copy inside the device, read and written.
inline double CopySpeed(Stopwatch* stopwatch, int64_t bytes) {
  const DeviceMemory from(bytes), to(bytes);
  const Times times = stopwatch->Measure([&] {
    Check(cudaMemcpyAsync(to.get(), from.get(), bytes, cudaMemcpyDeviceToDevice, nullptr),
          "copying");
  });
  return 2.0 * static_cast<double>(bytes) / times.median / 1e6;
}

}  // namespace bench
}  // namespace statpool

#endif  // STATPOOL_BENCHMARKS_CUDA_DEVICE_MEMORY_H_
