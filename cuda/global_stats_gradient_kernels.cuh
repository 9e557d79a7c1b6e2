// Gradient: one more read of x, one write of dx.
#ifndef STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_KERNELS_CUH_
#define STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_KERNELS_CUH_

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/coefficients.cuh"
#include "cuda/items.cuh"
#include "cuda/kernels.h"
#include "cuda/unit.cuh"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// ------------------------------------------------------------------------------------------------
// Kernels

// constant + slope * x + central_slope * (x - mean), in double.
template <typename Terms, typename Compute>
__device__ __forceinline__ Compute Smooth(Compute v, const Terms& terms,
                                          const Coefficients<Compute>& coefficients) {
  double smooth = terms.constant ? coefficients.constant : 0;
  if (terms.slope) smooth += coefficients.slope.At(v, 0);
  if (terms.central) smooth += coefficients.central.At(v, coefficients.mean);
  return static_cast<Compute>(smooth);
}

// constant + slope * x, in float: what it takes where a card has few double units.
template <typename Terms>
__device__ __forceinline__ float Smooth(float v, const Terms& terms,
                                        const NarrowCoefficients& coefficients) {
  float smooth = terms.constant ? coefficients.constant : 0;
  if (terms.slope) smooth += coefficients.slope * v;
  return smooth;
}

// The thread's rows of its unit, kInFlight at a time. `smooth` is either kind of coefficients.
// Steps that don't count are written, but not read.
template <int kInFlight, typename T, int kVector, typename Terms, typename Smoother,
          typename Compute>
__device__ __forceinline__ void GradientRows(const GradientArguments& a, const Terms& terms,
                                             const Unit& unit,
                                             const Coefficients<Compute> (&coefficients)[kVector],
                                             const Smoother (&smooth)[kVector]) {
  const LaunchPlan& plan = a.plan;
  const ValidSteps is_valid = ValidStepsOf(plan, a.mask, a.lengths, unit, a.shape.time);
  const bool needs_x = terms.slope || terms.central || terms.max || terms.min;
  const int64_t stride = plan.stride;
  const int64_t first = (unit.slab * a.shape.time + is_valid.first) * plan.width +
                        unit.y * plan.row_elements + unit.column;
  const T* __restrict__ x = static_cast<const T*>(a.x) + first;
  T* __restrict__ dx = static_cast<T*>(a.dx) + first;
  const int32_t fold = static_cast<int32_t>(plan.fold);
  const int32_t fold_bits = __ffs(fold) - 1;  // fold is a power of two
  const int32_t dense_rows = a.mask == nullptr ? is_valid.end >> fold_bits : 0;
  const int32_t last_row = (kInFlight - 1) * plan.threads_y;  // of a chunk, from its first one
  // Of what was loaded; 0 where an item does not count.
  const auto gradient_of = [&](const Vector<T, kVector>& of, const auto& is_valid_item) {
    Compute gradient[kVector];
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const Compute value = ToCompute(of.Item(v));
      Compute sum = Smooth(value, terms, smooth[v]);
      if (terms.max) sum += value == coefficients[v].max ? coefficients[v].max_share : 0;
      if (terms.min) sum += value == coefficients[v].min ? coefficients[v].min_share : 0;
      gradient[v] = is_valid_item(v) ? sum : 0;
    }
    return RoundAll<T>(gradient);
  };
#pragma unroll 1
  for (int32_t row = unit.y; row < unit.rows; row += kInFlight * plan.threads_y) {
    Vector<T, kVector> chunk[kInFlight] = {};
    if (row * fold >= is_valid.begin && row + last_row < dense_rows) {
      if (needs_x) {
#pragma unroll
        for (int r = 0; r < kInFlight; ++r) chunk[r] = Load<kVector>(x + r * stride);
      }
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) {
        Store<kVector>(gradient_of(chunk[r], [](int) { return true; }), dx + r * stride);
      }
    } else {
      ValidItems<kVector, kInFlight> valid;
      valid.Fill(plan, is_valid, unit, row, plan.threads_y);
      if (needs_x) {
#pragma unroll
        for (int r = 0; r < kInFlight; ++r) {
          chunk[r] = LoadItems<kVector>(x + r * stride, valid.Row(r), valid.IsWhole(r));
        }
      }
#pragma unroll
      for (int r = 0; r < kInFlight; ++r) {
        const auto result = gradient_of(chunk[r], [&](int v) { return valid.At(r, v); });
        if (valid.IsWhole(r)) {
          Store<kVector>(result, dx + r * stride);
        } else if constexpr (kVector > 1) {
          StoreItems(result, is_valid.ItemsOfSlab<kVector>(row + r * plan.threads_y, fold),
                     dx + r * stride);
        }
      }
    }
    x += kInFlight * stride;
    dx += kInFlight * stride;
  }
}

template <typename Terms>
constexpr bool kIsDefault = std::is_same_v<Terms, core::DefaultGradientTerms>;

// A block owns plan.groups units, a group of threads one unit, a thread kVector neighbouring
// columns of every threads_y-th row in it, and their coefficients.
template <typename T, int kVector, typename Terms>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)),
                                  BlocksPerMultiprocessor(sizeof(T), kIsDefault<Terms>))
    GlobalStatsGradientKernel(const __grid_constant__ GradientArguments a, const Terms terms) {
  using Compute = core::ComputeType<T>;
  __shared__ CoefficientBuffer<Compute, Terms, BlockThreads(sizeof(T)), kVector> buffer;
  // Where float suffices but for extreme norms, double keeps out of its registers.
  constexpr int kWideRows = kIsDefault<Terms> && std::is_same_v<Compute, float> ? 1 : kGradientRows;
  const LaunchPlan& plan = a.plan;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    const Unit unit = UnitOf(plan, block);
    // The channels of the group, one a thread at a time.
    const int32_t room = static_cast<int32_t>(min(plan.width, plan.threads_x * int64_t{kVector}));
    const int32_t base = unit.group * room;
#pragma unroll 1
    for (int32_t i = unit.thread; unit.exists && i < room; i += plan.group_threads) {
      const int64_t column = unit.first_column + i;
      if (column >= plan.width) break;
      buffer.Store(terms, base + i,
                   CoefficientsOf<T, Terms>(a, unit.b, unit.first_channel + column));
    }
    __syncthreads();
    Coefficients<Compute> coefficients[kVector];
    bool is_narrow = std::is_same_v<Compute, float> && !terms.central;
    NarrowCoefficients narrow[kVector];
    auto channel = static_cast<int32_t>(unit.column - unit.first_column);
    if (channel >= room) channel %= room;
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      if (unit.is_active) {
        coefficients[v] = buffer.Load(terms, base + channel);
      }
      is_narrow &= IsModerate(coefficients[v].constant) && IsModerate(coefficients[v].slope.value);
      narrow[v].constant = static_cast<float>(coefficients[v].constant);
      narrow[v].slope = static_cast<float>(coefficients[v].slope.value);
      // Kept, for the compiler would rather convert them anew for every row.
      asm volatile("" : "+f"(narrow[v].constant), "+f"(narrow[v].slope));
      channel = channel + 1 == room ? 0 : channel + 1;
    }
    __syncthreads();
    if (!unit.is_active) continue;
    if constexpr (std::is_same_v<Compute, float>) {
      if (is_narrow) {
        GradientRows<kGradientRows, T, kVector>(a, terms, unit, coefficients, narrow);
        continue;
      }
    }
    GradientRows<kWideRows, T, kVector>(a, terms, unit, coefficients, coefficients);
  }
}

// ------------------------------------------------------------------------------------------------
// Launchers

template <typename T, int kVector>
cudaError_t LaunchGradientOf(const GradientArguments& a, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(a.plan.grid);
  core::WithKnown<core::DefaultGradientTerms>(a.terms, [&](const auto& terms) {
    GlobalStatsGradientKernel<T, kVector><<<grid, a.plan.block, 0, stream>>>(a, terms);
  });
  return cudaGetLastError();
}

template <typename T>
cudaError_t LaunchGradient(const GradientArguments& a, cudaStream_t stream) {
  constexpr int kWidest = kVectorBytes / sizeof(T);
  return a.plan.vector_width == kWidest ? LaunchGradientOf<T, kWidest>(a, stream)
                                        : LaunchGradientOf<T, 1>(a, stream);
}

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_KERNELS_CUH_
