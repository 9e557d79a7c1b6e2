// A library of launchers for python_example.py and paths.py.
#include <cuda_runtime.h>

// For paths.py, which has the instructions of paths.ptx run in its place.
extern "C" __global__ void Paths() {}

extern "C" int LaunchPaths() {
  Paths<<<2, 64>>>();
  return cudaGetLastError();
}

__global__ void Square(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * x[i];
}

// On memory that the caller owns.
extern "C" int SquareInPlace(const float* x, float* y, int n) {
  Square<<<(n + 127) / 128, 128>>>(x, y, n);
  return cudaGetLastError();
}

// Squares `count` elements of arrays of `n`; a count above n is the fault the test looks for.
extern "C" int SquareCopies(const float* x, float* y, int count, int n) {
  float *dx, *dy;
  cudaMalloc(&dx, n * sizeof(float));
  cudaMalloc(&dy, n * sizeof(float));
  cudaMemcpy(dx, x, n * sizeof(float), cudaMemcpyHostToDevice);
  Square<<<(count + 127) / 128, 128>>>(dx, dy, count);
  const cudaError_t error = cudaGetLastError();
  cudaMemcpy(y, dy, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(dx);
  cudaFree(dy);
  return error;
}
