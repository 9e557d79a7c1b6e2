// cp.async, with the wait before its data is used, or without ("no_wait").
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

namespace {

constexpr int kElements = 32;

__global__ void Reverse(const float* x, float* y, bool waits) {
  __shared__ float s[kElements];
  const int i = threadIdx.x;
  const unsigned at = static_cast<unsigned>(__cvta_generic_to_shared(s + i));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(at), "l"(x + i));
  asm volatile("cp.async.commit_group;");
  if (waits) asm volatile("cp.async.wait_group 0;");
  __syncthreads();
  y[i] = s[kElements - 1 - i];
}

}  // namespace

int main(int argc, char** argv) {
  const bool waits = argc < 2 || std::strcmp(argv[1], "no_wait") != 0;
  float host[kElements], *x, *y;
  for (int i = 0; i < kElements; ++i) host[i] = i;
  cudaMalloc(&x, sizeof host);
  cudaMalloc(&y, sizeof host);
  cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice);
  Reverse<<<1, kElements>>>(x, y, waits);
  cudaMemcpy(host, y, sizeof host, cudaMemcpyDeviceToHost);
  for (int i = 0; i < kElements; ++i) {
    if (host[i] != kElements - 1 - i) return 1;
  }
  std::puts("finished");
}
