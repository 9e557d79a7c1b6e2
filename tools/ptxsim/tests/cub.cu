// Kernels of NVIDIA's CUB, whose scan lets blocks wait for one another: a sum over blocks that run
// one at a time comes out right all the same.
#include <cstdio>
#include <cub/cub.cuh>
#include <vector>

namespace {

constexpr int kElements = 20000;
constexpr int kBlocks = 2, kThreads = 128;

__global__ void SumBlocks(const float* x, float* sums) {
  using BlockReduce = cub::BlockReduce<float, kThreads>;
  __shared__ typename BlockReduce::TempStorage storage;
  const float sum = BlockReduce(storage).Sum(x[blockIdx.x * kThreads + threadIdx.x]);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

int ScanErrors() {
  std::vector<int> host(kElements);
  for (int i = 0; i < kElements; ++i) host[i] = i % 7;
  int *x, *y;
  cudaMalloc(&x, kElements * sizeof(int));
  cudaMalloc(&y, kElements * sizeof(int));
  cudaMemcpy(x, host.data(), kElements * sizeof(int), cudaMemcpyHostToDevice);
  size_t bytes = 0;
  cub::DeviceScan::InclusiveSum(nullptr, bytes, x, y, kElements);
  void* workspace;
  cudaMalloc(&workspace, bytes);
  const cudaError_t error = cub::DeviceScan::InclusiveSum(workspace, bytes, x, y, kElements);
  if (error != cudaSuccess) return kElements;
  std::vector<int> sums(kElements);
  cudaMemcpy(sums.data(), y, kElements * sizeof(int), cudaMemcpyDeviceToHost);
  int sum = 0, bad = 0;
  for (int i = 0; i < kElements; ++i) {
    sum += host[i];
    bad += sums[i] != sum;
  }
  return bad;
}

int ReduceErrors() {
  const std::vector<float> host(kBlocks * kThreads, 0.5f);
  float *x, *y, sums[kBlocks];
  cudaMalloc(&x, host.size() * sizeof(float));
  cudaMalloc(&y, sizeof sums);
  cudaMemcpy(x, host.data(), host.size() * sizeof(float), cudaMemcpyHostToDevice);
  SumBlocks<<<kBlocks, kThreads>>>(x, y);
  cudaMemcpy(sums, y, sizeof sums, cudaMemcpyDeviceToHost);
  int bad = 0;
  for (float sum : sums) bad += sum != 0.5f * kThreads;
  return bad;
}

}  // namespace

int main() {
  const int scan = ScanErrors(), reduce = ReduceErrors();
  std::printf("scan: bad %d of %d, block reduce: bad %d of %d\n", scan, kElements, reduce, kBlocks);
  return scan + reduce > 0;
}
