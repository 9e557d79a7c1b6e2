// Atomics, shared memory, warps, barriers and grids, against results computed on the host.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>

#include "features.h"

namespace {

namespace cg = cooperative_groups;

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = ~0u;

// --- atomics --------------------------------------------------------------------------------

__device__ int g_sum;

__global__ void Atomics(int* count, float* halves, double* quarters, unsigned* most,
                        unsigned long long* swapped, __half* eighths) {
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  atomicAdd(count, 1);
  atomicAdd(halves, 0.5f);
  atomicAdd(quarters, 0.25);
  atomicMax(most, static_cast<unsigned>(i * 7 % 1009));
  unsigned long long seen = *static_cast<volatile unsigned long long*>(swapped), assumed;
  do {
    assumed = seen;
    seen = atomicCAS(swapped, assumed, assumed + i);
  } while (seen != assumed);
  atomicAdd(&g_sum, i);
  atomicAdd(eighths, __float2half(0.125f));
}

void TestAtomics() {
  Array<int> count(1);
  Array<float> halves(1);
  Array<double> quarters(1);
  Array<unsigned> most(1);
  Array<unsigned long long> swapped(1);
  Array<__half> eighths(1);
  int sum = 0;
  cudaMemcpyToSymbol(g_sum, &sum, sizeof sum);
  Atomics<<<4, kThreads / 4>>>(count.device(), halves.device(), quarters.device(), most.device(),
                               swapped.device(), eighths.device());
  count.Fetch();
  halves.Fetch();
  quarters.Fetch();
  most.Fetch();
  swapped.Fetch();
  eighths.Fetch();
  cudaMemcpyFromSymbol(&sum, g_sum, sizeof sum);
  constexpr int kSum = kThreads * (kThreads - 1) / 2;
  unsigned wanted = 0;
  for (unsigned i = 0; i < kThreads; ++i) wanted = std::max(wanted, i * 7 % 1009);
  Check("atomics", count[0] == kThreads && halves[0] == kThreads * 0.5f &&
                       quarters[0] == kThreads * 0.25 && most[0] == wanted && swapped[0] == kSum &&
                       sum == kSum && __half2float(eighths[0]) == kThreads * 0.125f);
}

// --- shared memory and warps ----------------------------------------------------------------

__global__ void DynamicShared(const float* a, float* sum) {
  extern __shared__ float s[];
  const int i = threadIdx.x;
  s[i] = a[i];
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (i < half) s[i] += s[i + half];
    __syncthreads();
  }
  if (i == 0) *sum = s[0];
}

void TestDynamicShared(Inputs& in) {
  Array<float> sum(1);
  DynamicShared<<<1, kThreads, kThreads * sizeof(float)>>>(in.a.device(), sum.device());
  sum.Fetch();
  double wanted = 0;
  for (float value : in.a.host()) wanted += value;
  Check("dynamic shared", std::fabs(sum[0] - wanted) < 1e-3);
}

__global__ void WarpOperations(const int* x, int* y) {
  const int i = threadIdx.x, v = x[i];
  const unsigned odd = __ballot_sync(kAllLanes, v & 1);
  const int any = __any_sync(kAllLanes, v > 1000), all = __all_sync(kAllLanes, v >= 0);
  const int up = __shfl_up_sync(kAllLanes, v, 3);
  const int index = __shfl_sync(kAllLanes, v, (i * 5) & 7, 8);
  const int down = __shfl_down_sync(kAllLanes, v, 1, 16);
  const unsigned same = __match_any_sync(kAllLanes, v % 4);
#if __CUDA_ARCH__ >= 800
  const int sum = __reduce_add_sync(kAllLanes, v);
#else
  int sum = v;
  for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(kAllLanes, sum, by);
#endif
  y[i] = __popc(odd) + any * 100 + all * 1000 + up * 3 + index * 5 + down * 7 + __popc(same) + sum;
}

void TestWarpOperations() {
  Array<int> x(kWarp), y(kWarp);
  for (int i = 0; i < kWarp; ++i) x[i] = i * 37 % 101;
  x.Send();
  WarpOperations<<<1, kWarp>>>(x.device(), y.device());
  y.Fetch();
  int sum = 0, odd = 0;
  for (int value : x.host()) {
    sum += value;
    odd += value & 1;
  }
  bool passes = true;
  for (int i = 0; i < kWarp; ++i) {
    const int up = i < 3 ? x[i] : x[i - 3];
    const int index = x[(i & ~7) + ((i * 5) & 7)];
    const int down = (i & 15) == 15 ? x[i] : x[i + 1];
    int same = 0;
    for (int value : x.host()) same += value % 4 == x[i] % 4;
    passes &= y[i] == odd + 1000 + up * 3 + index * 5 + down * 7 + same + sum;
  }
  Check("shfl/vote/match/redux", passes);
}

__global__ void NamedBarrier(int* y) {
  __shared__ int s[64];
  const int i = threadIdx.x;
  if (i < 64) {
    s[i] = i;
    asm volatile("bar.sync 1, 64;");
    y[i] = s[63 - i];
  }
  const int count = __syncthreads_count(i % 3 == 0);
  const int all = __syncthreads_and(i >= 0), any = __syncthreads_or(i == 5);
  if (i == 0) {
    y[64] = count;
    y[65] = all;
    y[66] = any;
  }
}

void TestNamedBarrier() {
  Array<int> y(67);
  NamedBarrier<<<1, 128>>>(y.device());
  y.Fetch();
  bool passes = y[64] == 43 && y[65] && y[66];
  for (int i = 0; i < 64; ++i) passes &= y[i] == 63 - i;
  Check("named barrier, bar.red", passes);
}

// --- cooperation ----------------------------------------------------------------------------

__global__ void CooperativeGroups(const float* a, float* y) {
  const auto block = cg::this_thread_block();
  const auto warp = cg::tiled_partition<32>(block);
  const auto tile = cg::tiled_partition<8>(block);
  const float v = a[block.thread_rank()];
  const float sum = cg::reduce(warp, v, cg::plus<float>());
  const float most = cg::reduce(tile, v, cg::greater<float>());
  block.sync();
  y[block.thread_rank()] = sum + most + warp.shfl_down(v, 2) * 0;
}

void TestCooperativeGroups(Inputs& in) {
  Array<float> y(kThreads);
  CooperativeGroups<<<1, kThreads>>>(in.a.device(), y.device());
  y.Fetch();
  bool passes = true;
  for (int i = 0; i < kThreads; ++i) {
    const int warp = i & ~31, tile = i & ~7;
    float sum = 0, most = -1e9;
    for (int k = warp; k < warp + 32; ++k) sum += in.a[k];
    for (int k = tile; k < tile + 8; ++k) most = std::fmax(most, in.a[k]);
    passes &= std::fabs(y[i] - sum - most) < 1e-3;
  }
  Check("cooperative groups", passes);
}

__global__ void GridBarrier(float* x, float* y) {
  const auto grid = cg::this_grid();
  const int i = grid.thread_rank();
  x[i] = i + 1;
  grid.sync();
  y[i] = x[grid.size() - 1 - i];
}

void TestGridBarrier() {
  Array<float> x(kThreads), y(kThreads);
  float *device_x = x.device(), *device_y = y.device();
  void* arguments[] = {&device_x, &device_y};
  cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(&GridBarrier), dim3(4),
                              dim3(kThreads / 4), arguments, 0, nullptr);
  y.Fetch();
  bool passes = true;
  for (int i = 0; i < kThreads; ++i) passes &= y[i] == kThreads - i;
  Check("grid.sync", passes);
}

// The block that finishes last adds up what the others left.
__global__ void LastBlock(const float* x, float* partial, unsigned* finished, float* sum) {
  __shared__ float s[128];
  __shared__ bool is_last;
  const int i = threadIdx.x;
  s[i] = x[blockIdx.x * 128 + i];
  __syncthreads();
  for (int half = 64; half > 0; half /= 2) {
    if (i < half) s[i] += s[i + half];
    __syncthreads();
  }
  if (i == 0) {
    partial[blockIdx.x] = s[0];
    __threadfence();
    is_last = atomicAdd(finished, 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last && i == 0) {
    float total = 0;
    for (int k = 0; k < gridDim.x; ++k) total += static_cast<volatile float*>(partial)[k];
    *sum = total;
  }
}

void TestLastBlock() {
  constexpr int kBlocks = 8;
  Array<float> x(kBlocks * 128), partial(kBlocks), sum(1);
  Array<unsigned> finished(1);
  float wanted = 0;
  for (int i = 0; i < kBlocks * 128; ++i) wanted += x[i] = i % 7;
  x.Send();
  LastBlock<<<kBlocks, 128>>>(x.device(), partial.device(), finished.device(), sum.device());
  sum.Fetch();
  Check("threadfence, last block", sum[0] == wanted);
}

}  // namespace

int main() {
  Inputs in;
  TestAtomics();
  TestDynamicShared(in);
  TestWarpOperations();
  TestNamedBarrier();
  TestCooperativeGroups(in);
  TestGridBarrier();
  TestLastBlock();
  return Finish();
}
