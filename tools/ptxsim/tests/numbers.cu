// Arithmetic of every type, against results computed on the host.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>

#include "features.h"

namespace {

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

// --- floats ---------------------------------------------------------------------------------

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

}  // namespace

int main() {
  Inputs in;
  TestHalf(in);
  TestBfloat16(in);
  TestIntegers(in);
  TestMath(in);
  TestGross(in);
  return Finish();
}
