// Gradient: one more read of x, one write of dx. Read first the words in cuda/launch_plan.h, then
// the kernel, then what it calls in this order: UnitOf, CoefficientsOf, GradientRows.
#ifndef STATPOOL_CUDA_GRADIENT_GLOBAL_STATS_GRADIENT_KERNELS_CUH_
#define STATPOOL_CUDA_GRADIENT_GLOBAL_STATS_GRADIENT_KERNELS_CUH_

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/gradient/coefficients.cuh"
#include "cuda/kernels.h"
#include "cuda/thread/activation.cuh"
#include "cuda/thread/dense_chunks.cuh"
#include "cuda/thread/items.cuh"
#include "cuda/thread/unit.cuh"
#include "cuda/thread/vector_io.cuh"

namespace statpool {
namespace cuda {

// ------------------------------------------------------------------------------------------------
// Kernel

extern __shared__ uint4 shared[];  // prefetched chunks of a block, then coefficients

template <typename Terms>
__device__ __forceinline__ bool NeedsX(const Terms& terms) {
  static_assert(core::kTermCount == 5, "every term that reads x is here, and in GradientRows");
  return terms.slope || terms.central || terms.max || terms.min;
}

// constant + slope * v + central * (v - mean), in double.
template <typename Terms, typename Compute>
__device__ __forceinline__ Compute Smooth(Compute v, const Terms& terms,
                                          const Coefficients<Compute>& coefficients) {
  double smooth = terms.constant ? coefficients.constant : 0;
  if (terms.slope) smooth += coefficients.slope.At(v);
  if (terms.central) {
    smooth += coefficients.central.At(v, coefficients.mean, coefficients.mean_rest);
  }
  return static_cast<Compute>(smooth);
}

// The same in float, which is quicker where a card has few double units.
template <typename Terms>
__device__ __forceinline__ float Smooth(float v, const Terms& terms,
                                        const NarrowCoefficients& coefficients) {
  float smooth = terms.constant ? coefficients.constant : 0;
  if (terms.slope) smooth += coefficients.slope * v;
  if (terms.central) {
    smooth += coefficients.central * ((v - coefficients.mean) - coefficients.mean_rest);
  }
  return smooth;
}

// Whether a kernel knows its statistics.
template <typename Terms>
constexpr bool kAreKnownTerms = !std::is_same_v<Terms, core::GradientTerms>;

// The whole chunks of a thread, which it prefetches.
template <typename T, typename Terms, int kVector>
using GradientChunks =
    DenseChunks<T, kVector, kGradientRows,
                GradientChunksAhead(sizeof(T), kCoefficientBytes<core::ComputeType<T>, Terms>)>;

// Writes the gradient of the thread's rows of its unit. x and dx are those of RowZero. Steps that
// are not valid are written, but not read.
template <typename T, int kVector, typename Terms, typename Chunks, typename CoefficientsType>
__device__ __forceinline__ void GradientRows(const LaunchPlan& plan, const Terms& terms,
                                             const core::KernelActivation& activation,
                                             const ValidSteps& is_valid, const Unit& unit,
                                             const T* x, T* dx, Chunks chunks,
                                             const CoefficientsType (&coefficients)[kVector]) {
  using Compute = core::ComputeType<T>;
  // The gradient of an activated vector; 0 where an item is not valid.
  const auto gradient_of = [&](const Vector<T, kVector>& vector, const auto& is_valid_item,
                               auto may_be_activated) {
    Compute gradient[kVector];
#pragma unroll
    for (int v = 0; v < kVector; ++v) {
      const Compute value = ToCompute(vector.Item(v));
      Compute sum = Smooth(value, terms, coefficients[v]);
      if (terms.max) sum += value == coefficients[v].max ? coefficients[v].max_share : 0;
      if (terms.min) sum += value == coefficients[v].min ? coefficients[v].min_share : 0;
      gradient[v] = is_valid_item(v) ? sum : 0;
    }
    Vector<T, kVector> rounded = RoundAll<T>(gradient);
    if constexpr (may_be_activated) ActivateGradient(activation, vector, &rounded);
    return rounded;
  };
  int32_t row = WithActivation<kAreKnownTerms<Terms>>(activation, [&](auto may_be_there) {
    return chunks.ForEach([&](auto& rows, int32_t first) {
      if constexpr (may_be_there) Activate(activation, rows);
      T* to = dx + first * plan.row_elements;
#pragma unroll
      for (int r = 0; r < kGradientRows; ++r) {
        const auto is_valid_item = [](int) { return true; };
        Store<kVector>(gradient_of(rows[r], is_valid_item, may_be_there), to + r * plan.stride);
      }
    });
  });
  // A first row that is cut comes last, so that before it the threads of a group are in
  // neighbouring rows.
  const bool has_head = is_valid.CutsRow(unit.row, plan.fold);
#pragma unroll 1
  while (row < unit.rows || has_head) {
    const bool is_head = row >= unit.rows;
    if (is_head) row = unit.row;
    ValidItems<kVector, kGradientRows> valid;
    valid.Fill(plan, is_valid, unit, row, plan.threads_y);
    const int64_t offset = row * plan.row_elements;
    Vector<T, kVector> chunk[kGradientRows] = {};
    if (activation.is_there || NeedsX(terms)) {
#pragma unroll
      for (int r = 0; r < kGradientRows; ++r) {
        chunk[r] = LoadItems<kVector>(x + offset + r * plan.stride, valid.Row(r), valid.IsWhole(r));
      }
      Activate(activation, chunk);
    }
#pragma unroll
    for (int r = 0; r < kGradientRows; ++r, row += plan.threads_y) {
      const auto result =
          gradient_of(chunk[r], [&](int v) { return valid.At(r, v); }, std::true_type());
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

// A block owns plan.groups units, a group of threads one unit, a thread kVector neighbouring
// columns of every threads_y-th row of it. A thread prefetches its first rows, then computes the
// coefficients of every group_threads-th channel of its unit, and reads those of its own columns
// from shared memory.
template <typename T, int kVector, typename Terms>
__global__ void __launch_bounds__(BlockThreads(sizeof(T)),
                                  GradientBlocks(sizeof(T), kAreKnownTerms<Terms>))
    GlobalStatsGradientKernel(const __grid_constant__ GradientArguments a, const Terms terms) {
  using Compute = core::ComputeType<T>;
  using ChunksOf = GradientChunks<T, Terms, kVector>;
  const LaunchPlan& plan = a.plan;
  CoefficientBuffer<Compute, Terms> buffer(shared + ChunksOf::kAhead * kGradientRows *
                                                        static_cast<int32_t>(blockDim.x));
  for (int64_t block = blockIdx.x; block < plan.blocks; block += gridDim.x) {
    const Unit unit = UnitOf(plan, block);
    const ValidSteps is_valid = ValidStepsOf(plan, a.mask, a.lengths, unit, a.shape.time);
    const int64_t first = RowZero(plan, is_valid, unit, a.shape.time);
    const T* __restrict__ x = static_cast<const T*>(a.x) + first;
    T* __restrict__ dx = static_cast<T*>(a.dx) + first;
    ChunksOf chunks(plan, is_valid, unit, x, kGradientRows, a.activation.is_there || NeedsX(terms),
                    shared);
    // The coefficients of the group's channels: in float, or all again in double if a channel of
    // the block needs that.
    const int32_t room = static_cast<int32_t>(min(plan.width, plan.threads_x * int64_t{kVector}));
    const int32_t base = unit.group * room;
    bool is_narrow = std::is_same_v<Compute, float>;
#pragma unroll 1
    while (true) {
      bool are_moderate = true;
#pragma unroll 1
      for (int32_t i = unit.thread; unit.exists && i < room; i += plan.group_threads) {
        const int64_t channel = unit.first_column + i;
        if (channel >= plan.width) break;
        const auto coefficients = CoefficientsOf<T, Terms>(a, unit.b, unit.first_channel + channel);
        if constexpr (std::is_same_v<Compute, float>) {
          are_moderate &= AreModerate(coefficients, terms);
          if (is_narrow) {
            buffer.Store(terms, base + i, NarrowCoefficients(coefficients));
            continue;
          }
        }
        buffer.Store(terms, base + i, coefficients);
      }
      const bool is_right = __syncthreads_and(are_moderate);
      if (is_right || !is_narrow) break;
      is_narrow = false;
    }
    // The channel of the thread's first item, counted from the group's first one.
    auto first_item = static_cast<int32_t>(unit.column - unit.first_column);
    if (first_item >= room) first_item %= room;
    const auto load = [&](auto& coefficients) {
      int32_t next = first_item;
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        if (unit.is_active) buffer.Load(terms, base + next, &coefficients[v]);
        next = next + 1 == room ? 0 : next + 1;
      }
      __syncthreads();
    };
    if constexpr (std::is_same_v<Compute, float>) {
      if (is_narrow) {
        NarrowCoefficients coefficients[kVector];
        load(coefficients);
        if (unit.is_active) {
          GradientRows(plan, terms, a.activation, is_valid, unit, x, dx, chunks, coefficients);
        }
        continue;
      }
    }
    Coefficients<Compute> coefficients[kVector];
    load(coefficients);
    if (unit.is_active)
      GradientRows(plan, terms, a.activation, is_valid, unit, x, dx, chunks, coefficients);
  }
}

// ------------------------------------------------------------------------------------------------
// Launchers

template <typename T, int kVector>
cudaError_t LaunchGradientOf(const GradientArguments& a, cudaStream_t stream) {
  const auto grid = static_cast<unsigned>(a.plan.grid);
  WithKnownTerms(a.terms, [&](const auto& terms) {
    GlobalStatsGradientKernel<T, kVector>
        <<<grid, a.plan.block, a.plan.shared_bytes, stream>>>(a, terms);
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

#endif  // STATPOOL_CUDA_GRADIENT_GLOBAL_STATS_GRADIENT_KERNELS_CUH_
