// Reads memory and keeps nothing of it: the ceiling that a benchmark compares kernels with, and a
// flush of the L2 cache that leaves no dirty lines for the next kernel to write back.
#include <cuda_runtime.h>

#include <cstdint>

namespace {

constexpr int kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 8;
constexpr int kLoads = 4;  // of a thread in flight

// The grid walks through the buffer; a thread takes 16 bytes of every 16 * kThreads of its block's
// pieces. What it might write keeps the loads in the program.
__global__ void __launch_bounds__(kThreads) ReadAll(const uint4* data, int64_t size, uint4* sink) {
  uint4 seen = {0, 0, 0, 0};
  const int64_t piece = int64_t{kThreads} * kLoads;
  for (int64_t first = blockIdx.x * piece; first < size; first += gridDim.x * piece) {
    uint4 loaded[kLoads];
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const int64_t at = first + i * kThreads + threadIdx.x;
      loaded[i] = data[at < size ? at : size - 1];
    }
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      seen.x ^= loaded[i].x;
      seen.y ^= loaded[i].y;
      seen.z ^= loaded[i].z;
      seen.w ^= loaded[i].w;
    }
  }
  if ((seen.x & seen.y & seen.z & seen.w) == 0xffffffffu) *sink = seen;
}

}  // namespace

// Enqueues a read of `bytes`, a multiple of 16; `sink` takes 16 bytes.
extern "C" __attribute__((visibility("default"))) int StatpoolReadAll(const void* data,
                                                                      int64_t bytes, void* sink) {
  int device = 0;
  int multiprocessors = 0;
  if (const cudaError_t error = cudaGetDevice(&device); error != cudaSuccess) return error;
  if (const cudaError_t error =
          cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device);
      error != cudaSuccess) {
    return error;
  }
  ReadAll<<<multiprocessors * kBlocksPerMultiprocessor, kThreads>>>(
      static_cast<const uint4*>(data), bytes / 16, static_cast<uint4*>(sink));
  return cudaGetLastError();
}
