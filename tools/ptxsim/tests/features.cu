// What ptxsim can run, feature by feature, against results computed on the host.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

namespace cg = cooperative_groups;

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr unsigned kAllLanes = ~0u;

int g_failures = 0;

void Check(const char* name, bool passed) {
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

// --- float16 and bfloat16 -------------------------------------------------------------------

__global__ void Half(const float* a, const float* b, __half* fma, __half2* pair, float* exp) {
  const int i = threadIdx.x;
  const __half x = __float2half(a[i]), y = __float2half(b[i]);
  fma[i] = __hfma(x, y, x);
  const __half2 p = __halves2half2(x, y), q = __halves2half2(y, y);
  pair[i] = __hmul2(__hadd2(p, q), p);
  exp[i] = __half2float(hexp(__hmul(x, __float2half(0.01f)))) + (__hgt(x, y) ? 1 : 0);
}

float RoundToHalf(float value) { return __half2float(__float2half(value)); }

void TestHalf(Inputs& in) {
  Array<__half> fma(kThreads);
  Array<__half2> pair(kThreads);
  Array<float> exp(kThreads);
  Half<<<1, kThreads>>>(in.a.device(), in.b.device(), fma.device(), pair.device(), exp.device());
  fma.Fetch();
  pair.Fetch();
  exp.Fetch();
  bool fma_passes = true, pair_passes = true, exp_passes = true;
  for (int i = 0; i < kThreads; ++i) {
    const float x = RoundToHalf(in.a[i]), y = RoundToHalf(in.b[i]);
    const float exact = static_cast<double>(x) * y + x;
    fma_passes &= __half2float(fma[i]) == RoundToHalf(exact);
    pair_passes &= __low2float(pair[i]) == RoundToHalf(RoundToHalf(x + y) * x) &&
                   __high2float(pair[i]) == RoundToHalf(RoundToHalf(y + y) * y);
    exp_passes &= std::fabs(exp[i] - (x > y) - std::exp(x * .01)) < 2e-3;
  }
  Check("half fma", fma_passes);
  Check("half2 add/mul", pair_passes);
  Check("half exp/compare", exp_passes);
}

__global__ void Bfloat16(const float* a, const float* b, __nv_bfloat16* fma, float* sum) {
  const int i = threadIdx.x;
  const float x = __bfloat162float(__float2bfloat16(a[i]));
  const float y = __bfloat162float(__float2bfloat16(b[i]));
  fma[i] = __float2bfloat16(fmaf(x, y, x));
  __nv_bfloat162 pair = __floats2bfloat162_rn(a[i], b[i]);
  pair = __hadd2(pair, pair);
  sum[i] = __low2float(pair) + __high2float(pair);
}

float RoundToBfloat16(float value) { return __bfloat162float(__float2bfloat16(value)); }

void TestBfloat16(Inputs& in) {
  Array<__nv_bfloat16> fma(kThreads);
  Array<float> sum(kThreads);
  Bfloat16<<<1, kThreads>>>(in.a.device(), in.b.device(), fma.device(), sum.device());
  fma.Fetch();
  sum.Fetch();
  bool fma_passes = true, sum_passes = true;
  for (int i = 0; i < kThreads; ++i) {
    const float x = RoundToBfloat16(in.a[i]), y = RoundToBfloat16(in.b[i]);
    fma_passes &= __bfloat162float(fma[i]) == RoundToBfloat16(std::fmaf(x, y, x));
    sum_passes &= sum[i] == 2 * x + 2 * y;
  }
  Check("bfloat16 fma", fma_passes);
  Check("bfloat162 add", sum_passes);
}

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

// --- integers -------------------------------------------------------------------------------

__global__ void Integers(const int* a, const int* b, long long* sums) {
  const int i = threadIdx.x;
  const int x = a[i], y = b[i] | 1;
  const unsigned ux = x, uy = y;
  const long long wide = x * 1234567891011LL;
  sums[i] = wide / y + wide % (y * 7LL) + __mulhi(x, y) + __clz(x) + __ffs(x) + __brev(x) % 1000 +
            (x << (y & 7)) + (x >> (y & 3)) + __byte_perm(x, y, 0x3715) % 10007 +
            __funnelshift_l(x, y, 5) % 1000 + ux / 13u + x / 7 - x % 11 + __vadd2(x, y) % 101 +
            __dp4a(x, y, 3) + abs(x) + min(x, y) + static_cast<int>(max(ux, uy)) % 17 +
            __popcll(wide) + static_cast<signed char>(x) + static_cast<unsigned short>(y);
}

unsigned ReverseBits(unsigned x) {
  unsigned reversed = 0;
  for (int k = 0; k < 32; ++k) {
    if (x >> k & 1) reversed |= 1u << (31 - k);
  }
  return reversed;
}

// The same in plain C++.
long long SumOfIntegers(int x, int b) {
  const int y = b | 1;
  const unsigned ux = x, uy = y;
  const long long wide = x * 1234567891011LL;
  const unsigned long long bytes = static_cast<unsigned long long>(uy) << 32 | ux;
  const int selected[4] = {5, 1, 7, 3};
  unsigned permuted = 0;
  int dot = 3;
  for (int k = 0; k < 4; ++k) {
    permuted |= ((bytes >> (8 * selected[k])) & 255) << (8 * k);
    dot += static_cast<signed char>(ux >> 8 * k) * static_cast<signed char>(uy >> 8 * k);
  }
  const unsigned halves = ((ux + uy) & 0xffff) | (((ux >> 16) + (uy >> 16)) << 16);
  const unsigned funnel = uy << 5 | ux >> 27;
  const long long terms[] = {wide / y,
                             wide % (y * 7LL),
                             static_cast<int>((static_cast<long long>(x) * y) >> 32),
                             x ? __builtin_clz(x) : 32,
                             __builtin_ffs(x),
                             ReverseBits(x) % 1000,
                             static_cast<int>(ux << (y & 7)),
                             x >> (y & 3),
                             permuted % 10007,
                             funnel % 1000,
                             ux / 13u,
                             x / 7,
                             -(x % 11),
                             halves % 101,
                             dot,
                             std::abs(x),
                             std::min(x, y),
                             static_cast<int>(std::max(ux, uy)) % 17,
                             __builtin_popcountll(wide),
                             static_cast<signed char>(x),
                             static_cast<unsigned short>(y)};
  long long sum = 0;
  for (long long term : terms) sum += term;
  return sum;
}

void TestIntegers(Inputs& in) {
  Array<long long> sums(kThreads);
  Integers<<<1, kThreads>>>(in.x.device(), in.y.device(), sums.device());
  sums.Fetch();
  bool passes = true;
  for (int i = 0; i < kThreads; ++i) passes &= sums[i] == SumOfIntegers(in.x[i], in.y[i]);
  Check("integer ops", passes);
}

// --- functions ------------------------------------------------------------------------------

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

__global__ void Gross(const float* a, double* y) {
  const int i = threadIdx.x;
  const double x = fabs(static_cast<double>(a[i])) + 0.1;
  double reciprocal, root;
  asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(reciprocal) : "d"(x));
  asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(root) : "d"(x));
  y[i] = __double2loint(reciprocal) != 0 || __double2loint(root) != 0
             ? 1
             : fmax(fabs(reciprocal * x - 1), fabs(root * root * x - 1));
}

void TestGross(Inputs& in) {
  Array<double> y(kThreads);
  Gross<<<1, kThreads>>>(in.a.device(), y.device());
  y.Fetch();
  double error = 0;
  for (int i = 0; i < kThreads; ++i) error = std::max(error, y[i]);
  // 20 bits, and no more of all of them.
  Check("gross approximations of f64", error < 0x1p-18 && error > 0x1p-40);
}

__global__ void Math(const float* a, float* y) {
  const int i = threadIdx.x;
  const float x = a[i];
  y[i] = expf(x * .1f) + __expf(x * .1f) + logf(fabsf(x) + 1) + sinf(x) + cosf(x * 50) + tanhf(x) +
         rsqrtf(fabsf(x) + 1) + powf(fabsf(x), 1.3f) + erff(x) + fmodf(x, .7f) + rintf(x) +
         floorf(x) + truncf(x) + __fdividef(x, 3.f) + fmaxf(x, .5f) + copysignf(1.f, x) +
         (isnan(x) ? 1 : 0) + log1pf(fabsf(x)) + lgammaf(fabsf(x) + 1.f) + __int2float_rn(i) +
         static_cast<float>(__float2int_rz(x)) + static_cast<float>(llrintf(x)) + ldexpf(x, 3);
}

// The same in double, but for fmodf, whose result hangs on the last bit of 0.7.
float SumOfMath(float x, int i) {
  const double d = x, size = std::fabs(d);
  return std::exp(d * .1) * 2 + std::log(size + 1) + std::sin(d) +
         std::cos(static_cast<double>(x * 50)) + std::tanh(d) + 1 / std::sqrt(size + 1) +
         std::pow(size, 1.3f) + std::erf(d) + std::fmod(x, .7f) + std::rint(d) + std::floor(d) +
         std::trunc(d) + d / 3 + std::fmax(d, .5) + std::copysign(1., d) + std::log1p(size) +
         std::lgamma(size + 1) + i + static_cast<int>(d) + std::rint(d) + 8 * d;
}

void TestMath(Inputs& in) {
  Array<float> y(kThreads);
  Math<<<1, kThreads>>>(in.a.device(), y.device());
  y.Fetch();
  double error = 0;
  for (int i = 0; i < kThreads; ++i) {
    const double difference = std::fabs(y[i] - SumOfMath(in.a[i], i));
    error = std::fmax(error, difference / (1 + std::fabs(y[i])));
  }
  Check("float math", error < 2e-5);
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

// --- printf ---------------------------------------------------------------------------------

__global__ void Print(int value) {
  if (threadIdx.x == 1) printf("device says %d %5.2f %s %lld\n", value, 2.5, "str", 1LL << 40);
}

}  // namespace

int main() {
  {
    Inputs in;
    TestHalf(in);
    TestBfloat16(in);
    TestDouble(in);
    TestAtomics();
    TestDynamicShared(in);
    TestWarpOperations();
    TestNamedBarrier();
    TestIntegers(in);
    TestLocalAndRecursion();
    TestMath(in);
    TestGross(in);
    TestCooperativeGroups(in);
    TestGridBarrier();
    TestLastBlock();
    TestVectors(in);
  }
  Print<<<1, 4>>>(7);
  cudaDeviceSynchronize();
  std::printf("%d failed, last error %s\n", g_failures, cudaGetErrorString(cudaGetLastError()));
  return g_failures;
}
