// Variables, vectors, local memory, calls and printf, against results computed on the host.
#include <cmath>

#include "features.h"

namespace {

// --- double, constants and variables of the device ------------------------------------------

__constant__ float kConstants[4] = {1.5f, -2.f, 3.25f, 4.f};
__device__ double g_table[3] = {1, 2, 3};

__global__ void Double(const float* a, double* y) {
  const int i = threadIdx.x;
  const double x = a[i];
  y[i] = exp(sin(x)) / (1.0 + x * x) + sqrt(fabs(x)) + g_table[i % 3] * kConstants[i % 4];
}

void TestDouble(Inputs& in) {
  Array<double> y(kThreads);
  Double<<<1, kThreads>>>(in.a.device(), y.device());
  y.Fetch();
  const float constants[4] = {1.5f, -2.f, 3.25f, 4.f};
  double error = 0;
  for (int i = 0; i < kThreads; ++i) {
    const double x = in.a[i];
    const double wanted = std::exp(std::sin(x)) / (1 + x * x) + std::sqrt(std::fabs(x)) +
                          (i % 3 + 1) * constants[i % 4];
    error = std::fmax(error, std::fabs(y[i] - wanted));
  }
  Check("double, const, global var", error < 1e-12);
}

// --- vectors and narrow types ---------------------------------------------------------------

__global__ void Vectors(const float4* floats, float4* reversed, const uint2* words, short4* shorts,
                        const double2* doubles, double* differences, const unsigned char* bytes,
                        int* sums) {
  const int i = threadIdx.x;
  const float4 v = __ldg(floats + i);
  reversed[i] = make_float4(v.w, v.z, v.y, v.x);
  const uint2 q = words[i];
  shorts[i] = make_short4(q.x, q.x >> 16, q.y, -1);
  differences[i] = doubles[i].x - doubles[i].y;
  sums[i] = static_cast<signed char>(bytes[i]) + bytes[i + 1];
}

void TestVectors(Inputs& in) {
  Array<float4> floats(kThreads), reversed(kThreads);
  Array<uint2> words(kThreads);
  Array<short4> shorts(kThreads);
  Array<double2> doubles(kThreads);
  Array<double> differences(kThreads);
  Array<unsigned char> bytes(kThreads + 1);
  Array<int> sums(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    floats[i] = make_float4(i, 2 * i, 3 * i, 4 * i);
    words[i] = make_uint2(in.x[i], in.y[i]);
    doubles[i] = make_double2(i, .5 * i);
    bytes[i] = i * 3;
  }
  floats.Send();
  words.Send();
  doubles.Send();
  bytes.Send();
  Vectors<<<1, kThreads>>>(floats.device(), reversed.device(), words.device(), shorts.device(),
                           doubles.device(), differences.device(), bytes.device(), sums.device());
  reversed.Fetch();
  shorts.Fetch();
  differences.Fetch();
  sums.Fetch();
  bool passes = true;
  for (int i = 0; i < kThreads; ++i) {
    passes &= reversed[i].x == 4 * i && reversed[i].w == i;
    passes &= shorts[i].y == static_cast<short>(words[i].x >> 16) && shorts[i].w == -1;
    passes &= differences[i] == .5 * i;
    passes &= sums[i] == static_cast<signed char>(bytes[i]) + bytes[i + 1];
  }
  Check("vector loads/stores", passes);
}

// --- local memory and calls ------------------------------------------------------------------

__device__ __noinline__ float Factorial(int n) { return n <= 1 ? 1.f : n * Factorial(n - 1); }

__global__ void LocalAndRecursion(float* y) {
  float local[20];
  const int i = threadIdx.x;
  for (int k = 0; k < 20; ++k) local[k] = k * i;
  float sum = 0;
  for (int k = 0; k < 20; ++k) sum += local[(k * 7 + i) % 20];
  y[i] = sum + Factorial(i % 8 + 1);
}

void TestLocalAndRecursion() {
  Array<float> y(64);
  LocalAndRecursion<<<1, 64>>>(y.device());
  y.Fetch();
  bool passes = true;
  for (int i = 0; i < 64; ++i) {
    float sum = 0, local[20], factorial = 1;
    for (int k = 0; k < 20; ++k) local[k] = k * i;
    for (int k = 0; k < 20; ++k) sum += local[(k * 7 + i) % 20];
    for (int k = 2; k <= i % 8 + 1; ++k) factorial *= k;
    passes &= y[i] == sum + factorial;
  }
  Check("local array, recursion", passes);
}

// --- printf ---------------------------------------------------------------------------------

__global__ void Print(int value) {
  if (threadIdx.x == 1) printf("device says %d %5.2f %s %lld\n", value, 2.5, "str", 1LL << 40);
}

}  // namespace

int main() {
  Inputs in;
  TestDouble(in);
  TestVectors(in);
  TestLocalAndRecursion();
  Print<<<1, 4>>>(7);
  cudaDeviceSynchronize();
  return Finish();
}
