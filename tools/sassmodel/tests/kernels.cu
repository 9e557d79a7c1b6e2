// Kernels whose loops are known: selftest.sh counts in them what sassmodel says of them.
#include <cuda_pipeline.h>

// Eight 16-byte loads in flight, one addition a value.
extern "C" __global__ void __launch_bounds__(128) StreamSum(const float4* x, float* y, int rows) {
  float sum = 0;
#pragma unroll 1
  for (int row = threadIdx.x; row < rows; row += 1024, x += 1024) {
    float4 v[8];
#pragma unroll
    for (int k = 0; k < 8; ++k) v[k] = x[k * 128];
#pragma unroll
    for (int k = 0; k < 8; ++k) sum += v[k].x + v[k].y + v[k].z + v[k].w;
  }
  y[threadIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(128)
    Copy(const float4* __restrict__ x, float4* __restrict__ y, int rows) {
#pragma unroll 1
  for (int row = threadIdx.x; row < rows; row += 512, x += 512, y += 512) {
    float4 v[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) v[k] = x[k * 128];
#pragma unroll
    for (int k = 0; k < 4; ++k) y[k * 128] = v[k];
  }
}

// Twelve fused multiply-adds in double for each value.
extern "C" __global__ void __launch_bounds__(128)
    Fp64(const double2* x, double* y, int rows, double c) {
  double sum = 0;
#pragma unroll 1
  for (int row = threadIdx.x; row < rows; row += 512, x += 512) {
    double2 v[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) v[k] = x[k * 128];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      double a = v[k].x, b = v[k].y;
#pragma unroll
      for (int i = 0; i < 12; ++i) {
        a = fma(a, c, v[k].x);
        b = fma(b, c, v[k].y);
      }
      sum += a + b;
    }
  }
  y[threadIdx.x] = sum;
}

// A ring of four stages of cp.async; every thread reads back what it wrote.
extern "C" __global__ void __launch_bounds__(128) AsyncRing(const float4* x, float* y, int rows) {
  __shared__ float4 ring[4][2][128];
  float sum = 0;
#pragma unroll
  for (int s = 0; s < 3; ++s, x += 256) {
    for (int k = 0; k < 2; ++k) __pipeline_memcpy_async(&ring[s][k][threadIdx.x], x + k * 128, 16);
    __pipeline_commit();
  }
#pragma unroll 1
  for (int row = 0; row < rows; row += 1, x += 256) {
    const int next = (row + 3) % 4;
#pragma unroll
    for (int k = 0; k < 2; ++k)
      __pipeline_memcpy_async(&ring[next][k][threadIdx.x], x + k * 128, 16);
    __pipeline_commit();
    __pipeline_wait_prior(3);
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const float4 v = ring[row % 4][k][threadIdx.x];
      sum += v.x + v.y + v.z + v.w;
    }
  }
  y[threadIdx.x] = sum;
}

// The same for one block after the other: the outer loop asks, the inner one waits.
extern "C" __global__ void __launch_bounds__(128)
    AsyncRings(const float4* x, float* y, int blocks, int rows) {
  __shared__ float4 ring[2][128];
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    float sum = 0;
    __pipeline_memcpy_async(&ring[0][threadIdx.x], x, 16);
    __pipeline_commit();
#pragma unroll 1
    for (int row = 1; row < rows; ++row) {
      x += 128;
      __pipeline_memcpy_async(&ring[row % 2][threadIdx.x], x, 16);
      __pipeline_commit();
      __pipeline_wait_prior(1);
      const float4 v = ring[1 - row % 2][threadIdx.x];
      sum += v.x + v.y + v.z + v.w;
    }
    y[block * 128 + threadIdx.x] = sum;
  }
}

// Two ways round one loop: whole rows, and rows that a mask picks from, which take longer.
extern "C" __global__ void __launch_bounds__(128)
    Masked(const float4* x, const unsigned char* mask, float* y, int rows) {
  float sum = 0;
#pragma unroll 1
  for (int row = 0; row < rows; ++row, x += 512) {
    float4 v[4];
    if (mask[row] == 0) {
#pragma unroll
      for (int k = 0; k < 4; ++k) v[k] = x[k * 128];
#pragma unroll
      for (int k = 0; k < 4; ++k) sum += v[k].x + v[k].y + v[k].z + v[k].w;
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k) v[k] = x[k * 128 + 1];
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        sum += (mask[row] & 1 ? v[k].x : 0) * v[k].y + (mask[row] & 2 ? v[k].z : 0) * v[k].w;
      }
    }
  }
  y[threadIdx.x] = sum;
}

// Two fused multiply-adds for each bitwise operation: no pipe is full, the schedulers are.
extern "C" __global__ void __launch_bounds__(128) Mixed(const float4* x, float* y, int rows) {
  float a = 0, b = 0;
  unsigned n = 0;
#pragma unroll 1
  for (int row = threadIdx.x; row < rows; row += 256, x += 256) {
    const float4 v[2] = {x[0], x[128]};
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const float f[4] = {v[k].x, v[k].y, v[k].z, v[k].w};
#pragma unroll
      for (int i = 0; i < 128; ++i) {
        a = fmaf(a, f[i % 4], b);
        b = fmaf(b, f[i % 4], a);
        n ^= __float_as_uint(b);
      }
    }
  }
  y[threadIdx.x] = a + b + n;
}

extern "C" __global__ void NoLoop(const float4* x, float4* y) { y[threadIdx.x] = x[threadIdx.x]; }
