// Kernels that move memory as ones do whose speed on real cards is public: see Calibration in
// ../README.md.
#include <cstdint>

// A dot product as BabelStream's Dot makes it with 528 blocks of 1024: two streams of 8-byte loads,
// and a sum per thread that is kept in shared memory.
extern "C" __global__ void __launch_bounds__(1024)
    BabelStreamDot(const double* x, const double* y, double* block_sums, int size) {
  __shared__ double sums[1024];
  double* const own = &sums[threadIdx.x];
  *own = 0;
  const int stride = gridDim.x * blockDim.x;
#pragma unroll 1
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += stride) *own += x[i] * y[i];
  for (unsigned half = blockDim.x >> 1; half != 0; half >>= 1) {
    __syncthreads();
    if (threadIdx.x < half) *own += own[half];
  }
  if (threadIdx.x == 0) block_sums[blockIdx.x] = *own;
}

// A sum along a contiguous axis as torch.sum makes it: four 16-byte loads a thread, four sums.
extern "C" __global__ void __launch_bounds__(512)
    TorchSum(const float4* x, float* y, int64_t rows) {
  float4 sum[4] = {};
#pragma unroll 1
  for (int64_t row = threadIdx.x; row < rows; row += 2048) {
    float4 v[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) v[k] = x[row + k * 512];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      sum[k].x += v[k].x;
      sum[k].y += v[k].y;
      sum[k].z += v[k].z;
      sum[k].w += v[k].w;
    }
  }
  float all = 0;
  for (int k = 0; k < 4; ++k) all += sum[k].x + sum[k].y + sum[k].z + sum[k].w;
  y[threadIdx.x] = all;
}

// A device copy.
extern "C" __global__ void __launch_bounds__(512)
    DeviceCopy(const float4* __restrict__ x, float4* __restrict__ y, int64_t rows) {
#pragma unroll 1
  for (int64_t row = threadIdx.x; row < rows; row += 2048) {
    float4 v[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) v[k] = x[row + k * 512];
#pragma unroll
    for (int k = 0; k < 4; ++k) y[row + k * 512] = v[k];
  }
}

// A step of back propagation with momentum as Rodinia's backprop makes it, whose rates are doubles
// beside floats: in tiles of 16 by 16 weights, here in a loop over what the grid does there. The
// step is computed for each of the two that take it, from memory that may have changed between.
extern "C" __global__ void __launch_bounds__(256)
    RodiniaAdjustWeights(const float* errors, const float* inputs, float* weights, float* steps,
                         int tiles, int stride) {
  constexpr double kRate = 0.3, kMomentum = 0.3;
  const int column = threadIdx.x % 16, row = threadIdx.x / 16, at = threadIdx.x;
  const auto step = [&](int tile) {
    return kRate * errors[column] * inputs[tile * 16 + row] + kMomentum * steps[at];
  };
#pragma unroll 1
  for (int tile = 0; tile < tiles; ++tile, weights += stride, steps += stride) {
    weights[at] += step(tile);
    steps[at] = step(tile);
  }
}
