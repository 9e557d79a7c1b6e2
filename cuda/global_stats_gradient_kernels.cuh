// Gradient: one more read of x, one write of dx.
#ifndef STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_KERNELS_CUH_
#define STATPOOL_CUDA_GLOBAL_STATS_GRADIENT_KERNELS_CUH_

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/coefficients.cuh"
#include "cuda/dense_chunks.cuh"
#include "cuda/items.cuh"
#include "cuda/kernels.h"
#include "cuda/unit.cuh"
#include "cuda/vector_io.cuh"

namespace statpool {
namespace cuda {

// ------------------------------------------------------------------------------------------------
// Kernels

template <typename Terms>
__device__ __forceinline__ bool NeedsX(const Terms& terms) {
  return terms.slope || terms.central || terms.max || terms.min;
}

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

template <typename T, typename Terms, int kVector>
using CoefficientBufferOf =
    CoefficientBuffer<core::ComputeType<T>, Terms, BlockThreads(sizeof(T)), kVector>;

// Their buffer lies beside that of the coefficients, in the 48 KB that a block has without more
// ado.
template <typename T, typename Terms, int kVector>
using GradientChunks = DenseChunks<T, kVector, kGradientRows,
                                   (48 << 10) - sizeof(CoefficientBufferOf<T, Terms, kVector>)>;

// The thread's rows of its unit. `smooth` is either kind of coefficients; x and dx are where row 0
// would lie. Steps that don't count are written, but not read.
template <typename T, int kVector, typename Terms, typename Chunks, typename Smoother,
          typename Compute>
__device__ __forceinline__ void GradientRows(const LaunchPlan& plan, const Terms& terms,
                                             const ValidSteps& is_valid, const Unit& unit,
                                             const T* x, T* dx, Chunks chunks,
                                             const Coefficients<Compute> (&coefficients)[kVector],
                                             const Smoother (&smooth)[kVector]) {
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
  int32_t row = chunks.ForEach([&](const auto& rows, int32_t first) {
    T* to = dx + first * plan.row_elements;
#pragma unroll
    for (int r = 0; r < kGradientRows; ++r) {
      Store<kVector>(gradient_of(rows[r], [](int) { return true; }), to + r * plan.stride);
    }
  });
  const bool has_head = is_valid.CutsRow(unit.y, plan.fold);
#pragma unroll 1
  while (row < unit.rows || has_head) {
    const bool is_head = row >= unit.rows;
    if (is_head) row = unit.y;
    ValidItems<kVector, kGradientRows> valid;
    valid.Fill(plan, is_valid, unit, row, plan.threads_y);
    const int64_t offset = row * plan.row_elements;
    Vector<T, kVector> chunk[kGradientRows] = {};
    if (NeedsX(terms)) {
#pragma unroll
      for (int r = 0; r < kGradientRows; ++r) {
        chunk[r] = LoadItems<kVector>(x + offset + r * plan.stride, valid.Row(r), valid.IsWhole(r));
      }
    }
#pragma unroll
    for (int r = 0; r < kGradientRows; ++r, row += plan.threads_y) {
      const auto result = gradient_of(chunk[r], [&](int v) { return valid.At(r, v); });
      T* to = dx + offset + r * plan.stride;
      if (valid.IsWhole(r)) {
        Store<kVector>(result, to);
      } else if constexpr (kVector > 1) {
        StoreItems(result, is_valid.ItemsOfSlab<kVector>(row, static_cast<int32_t>(plan.fold)), to);
      }
    }
    if (is_head) break;
  }
}

template <typename Terms>
constexpr bool kIsDefault = std::is_same_v<Terms, core::DefaultGradientTerms>;

// A block owns plan.groups units, a group of threads one unit, a thread kVector neighbouring
// columns of every threads_y-th row in it, and their coefficients. It asks for its first rows
// before it works those out.
template <typename T, int kVector, typename Terms>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)),
                                  BlocksPerMultiprocessor(sizeof(T), kIsDefault<Terms>))
    GlobalStatsGradientKernel(const __grid_constant__ GradientArguments a, const Terms terms) {
  using Compute = core::ComputeType<T>;
  __shared__ CoefficientBufferOf<T, Terms, kVector> buffer;
  __shared__ typename GradientChunks<T, Terms, kVector>::Buffer chunk_buffer;
  const LaunchPlan& plan = a.plan;
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    const Unit unit = UnitOf(plan, block);
    const ValidSteps is_valid = ValidStepsOf(plan, a.mask, a.lengths, unit, a.shape.time);
    const int64_t first = RowZero(plan, is_valid, unit, a.shape.time);
    const T* __restrict__ x = static_cast<const T*>(a.x) + first;
    T* __restrict__ dx = static_cast<T*>(a.dx) + first;
    GradientChunks<T, Terms, kVector> chunks(plan, is_valid, unit, x, NeedsX(terms), &chunk_buffer);
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
        GradientRows(plan, terms, is_valid, unit, x, dx, chunks, coefficients, narrow);
        continue;
      }
    }
    GradientRows(plan, terms, is_valid, unit, x, dx, chunks, coefficients, coefficients);
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
