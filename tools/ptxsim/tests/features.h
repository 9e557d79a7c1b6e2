// What the programs share that try ptxsim feature by feature.
#ifndef STATPOOL_TOOLS_PTXSIM_TESTS_FEATURES_H_
#define STATPOOL_TOOLS_PTXSIM_TESTS_FEATURES_H_

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

constexpr int kThreads = 256;

inline int g_failures = 0;

inline void Check(const char* name, bool passed) {
  std::printf("%-28s %s\n", name, passed ? "ok" : "FAIL");
  if (!passed) ++g_failures;
}

// An array on the host and its copy on the device, which starts as zeros.
template <typename T>
class Array {
 public:
  explicit Array(size_t size) : host_(size) {
    cudaMalloc(&device_, size * sizeof(T));
    cudaMemset(device_, 0, size * sizeof(T));
  }
  ~Array() { cudaFree(device_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  T* device() { return device_; }
  const std::vector<T>& host() const { return host_; }
  T& operator[](size_t i) { return host_[i]; }
  const T& operator[](size_t i) const { return host_[i]; }

  void Send() {
    cudaMemcpy(device_, host_.data(), host_.size() * sizeof(T), cudaMemcpyHostToDevice);
  }
  void Fetch() {
    cudaMemcpy(host_.data(), device_, host_.size() * sizeof(T), cudaMemcpyDeviceToHost);
  }

 private:
  T* device_ = nullptr;
  std::vector<T> host_;
};

// Numbers that the tests share.
struct Inputs {
  Array<float> a{kThreads}, b{kThreads};
  Array<int> x{kThreads}, y{kThreads};

  Inputs() {
    for (int i = 0; i < kThreads; ++i) {
      a[i] = (std::rand() % 2001 - 1000) / 250.f;
      b[i] = (std::rand() % 2001 - 1000) / 300.f;
      x[i] = std::rand() - (1 << 30);
      y[i] = std::rand() - (1 << 30);
    }
    a.Send();
    b.Send();
    x.Send();
    y.Send();
  }
};

inline int Finish() {
  std::printf("%d failed, last error %s\n", g_failures, cudaGetErrorString(cudaGetLastError()));
  return g_failures;
}

#endif  // STATPOOL_TOOLS_PTXSIM_TESTS_FEATURES_H_
