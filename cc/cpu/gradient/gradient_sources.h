// Access to the upstream gradient and the saved fields, for the channels of a unit.
#ifndef STATPOOL_CPU_GRADIENT_GRADIENT_SOURCES_H_
#define STATPOOL_CPU_GRADIENT_GRADIENT_SOURCES_H_

#include "cc/core/gradient.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/simd/storage.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Element 0 of each row is the unit's first channel.
template <typename T>
struct GradientSources {
  using Compute = core::ComputeType<T>;

  GradientSources(const GradientArguments& a, int64_t b, int64_t first_channel)
      : statistics(a.problem.statistics),
        channels(a.problem.shape.channels),
        upstream_is_float(sizeof(T) == 2 && a.problem.out_dtype == core::DType::kFloat32) {
    const int64_t first = b * statistics.size * channels + first_channel;
    upstream = static_cast<const T*>(a.upstream) + first;
    float_upstream = static_cast<const float*>(a.upstream) + first;
    for (int i = 0; i < a.fields.size; ++i) {
      saved[static_cast<int>(a.fields.items[i])] =
          static_cast<const Compute*>(a.saved) + (b * a.fields.size + i) * channels + first_channel;
    }
  }

  // The upstream of channels [c, c + N) for the statistic at that place of the selection.
  template <int N>
  __attribute__((always_inline)) Vec<Compute, N> Upstream(int statistic, int64_t c) const {
    const int64_t at = statistic * channels + c;
    if constexpr (sizeof(T) == 2) {
      if (upstream_is_float) return Load<N>(float_upstream + at);
    }
    return Load<N>(upstream + at);
  }

  template <int N>
  __attribute__((always_inline)) Vec<Compute, N> Saved(core::SavedField field, int64_t c) const {
    return Load<N>(saved[static_cast<int>(field)] + c);
  }

  Compute Steps() const { return *saved[static_cast<int>(core::SavedField::kSteps)]; }

  const core::StatisticList& statistics;
  const int64_t channels;
  const bool upstream_is_float;
  const T* upstream;
  const float* float_upstream;
  const Compute* saved[core::kSavedFieldCount] = {};  // null for fields that were not saved
};

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_GRADIENT_GRADIENT_SOURCES_H_
