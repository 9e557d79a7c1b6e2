// One seeded fault for each thing that ptxsim checks, and a correct kernel that looks like one.
// Names the fault to run: prints "finished" if nothing stopped it.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstring>

namespace {

constexpr int kElements = 100;

__global__ void WriteUpTo(float* x, int last) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= last) x[i] = 1;
}

__global__ void LoadUnaligned(float* x) {
  const float4 v = *reinterpret_cast<float4*>(x + 1 + threadIdx.x);
  x[0] = v.x + v.y + v.z + v.w;
}

__global__ void ReverseWithoutBarrier(float* x) {
  __shared__ float s[64];
  const int i = threadIdx.x;
  s[i] = i;
  x[i] = s[blockDim.x - 1 - i];
}

__global__ void ReverseInWarp(float* x) {
  __shared__ float s[32];
  const int i = threadIdx.x;
  s[i] = i;
  __syncwarp();
  x[i] = s[31 - i];
  __syncwarp();
  s[i] = 2;
  __syncwarp();
  x[i] += s[(i + 1) % 32];
}

__global__ void ReadUnwritten(float* x) {
  __shared__ float s[64];
  const int i = threadIdx.x;
  if (i < 10) s[i] = i;
  __syncthreads();
  x[i] = s[i];
}

// What lies behind `s` is another variable: memory that exists, and is not meant.
__global__ void OverrunShared(float* x, int by) {
  __shared__ float s[64], next[64];
  const int i = threadIdx.x;
  next[i] = 1;
  s[i] = i;
  __syncthreads();
  x[i] = s[i + by] + next[i];
}

__global__ void ShuffleWithEndedLanes(float* x) {
  const int i = threadIdx.x;
  float v = i;
  if (i < 16) v += __shfl_xor_sync(~0u, v, 1);
  x[i] = v;
}

__global__ void SplitBarrier(float* x) {
  const int i = threadIdx.x;
  if (i < 16) {
    __syncthreads();
  } else if (i < 48) {
    __syncwarp();
  }
  x[i] = i;
  if (i >= 16) __syncthreads();
}

__global__ void WriteAfterRead(float* x) {
  __shared__ float s[64];
  const int i = threadIdx.x;
  s[i] = i;
  __syncthreads();
  const float v = s[63 - i];
  s[i] = v * 2;
  __syncthreads();
  x[i] = s[i];
}

__global__ void WriteFromEveryBlock(float* x) { x[threadIdx.x] = blockIdx.x; }

__global__ void OverrunDynamicShared(float* x) {
  extern __shared__ float dynamic[];
  const int i = threadIdx.x;
  dynamic[i] = i;
  x[i] = dynamic[i];
}

__global__ void OverrunLocal(float* x, int count) {
  float local[8];
  for (int i = 0; i < 8; ++i) local[i] = x[i];
  float sum = 0;
  for (int i = 0; i < count; ++i) sum += local[(i * 5) % count];
  x[0] = sum;
}

void UseAfterFree(float* x) {
  cudaFree(x);
  WriteUpTo<<<1, 4>>>(x, kElements - 1);
}

void LaunchTooManyThreads(float* x) {
  WriteUpTo<<<2, 2000>>>(x, 4);
  std::printf("launch: %d\n", cudaGetLastError());
}

struct Fault {
  const char* name;
  void (*run)(float* x);
};

const Fault kFaults[] = {
    {"global_bounds", [](float* x) { WriteUpTo<<<2, 64>>>(x, kElements); }},
    {"alignment", [](float* x) { LoadUnaligned<<<1, 4>>>(x); }},
    {"no_barrier", [](float* x) { ReverseWithoutBarrier<<<1, 64>>>(x); }},
    {"no_warp_barrier", [](float* x) { ReverseWithoutBarrier<<<1, 32>>>(x); }},
    {"none", [](float* x) { ReverseInWarp<<<1, 32>>>(x); }},
    {"unwritten", [](float* x) { ReadUnwritten<<<1, 64>>>(x); }},
    {"next_variable", [](float* x) { OverrunShared<<<1, 64>>>(x, 3); }},
    {"ended_lanes", [](float* x) { ShuffleWithEndedLanes<<<1, 32>>>(x); }},
    {"deadlock", [](float* x) { SplitBarrier<<<1, 64>>>(x); }},
    {"write_after_read", [](float* x) { WriteAfterRead<<<1, 64>>>(x); }},
    {"global_race", [](float* x) { WriteFromEveryBlock<<<2, 32>>>(x); }},
    {"dynamic_bounds", [](float* x) { OverrunDynamicShared<<<1, 64, 100>>>(x); }},
    {"use_after_free", UseAfterFree},
    {"memset_bounds", [](float* x) { cudaMemset(x, 0, 500); }},
    {"launch_limit", LaunchTooManyThreads},
    {"local_bounds", [](float* x) { OverrunLocal<<<1, 1>>>(x, 9); }},
};

}  // namespace

int main(int argc, char** argv) {
  float* x;
  cudaMalloc(&x, kElements * sizeof(float));
  cudaMemset(x, 0, kElements * sizeof(float));
  for (const Fault& fault : kFaults) {
    if (argc < 2 || std::strcmp(fault.name, argv[1]) != 0) continue;
    fault.run(x);
    cudaDeviceSynchronize();
    std::puts("finished");
    return 0;
  }
  std::fprintf(stderr, "faults: which one?\n");
  return 2;
}
