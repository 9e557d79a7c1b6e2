// From accumulators whose lanes are channels to results: the saved fields and the output, rounded.
#ifndef STATPOOL_CPU_FORWARD_RESULTS_H_
#define STATPOOL_CPU_FORWARD_RESULTS_H_

#include <cmath>

#include "cc/core/rescaling.h"
#include "cc/core/values.h"
#include "cc/cpu/forward/accumulator_rows.h"
#include "cc/cpu/kernels.h"
#include "cc/cpu/simd/lane_tests.h"
#include "cc/cpu/simd/storage.h"

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

// Channels of an example whose results are stored, and the lane of the first one.
struct Destination {
  int64_t b;
  int64_t first_channel;
  int64_t width;
  int64_t first_lane = 0;
};

// Lanes [lane, lane + N) of accumulators, a channel each, of `steps` > 0 steps: what the formulas
// of core/values.h read.
template <int N, typename Accumulators>
struct ChannelLanes {
  using Compute = typename Accumulators::Compute;
  using D = Vec<double, N>;

  const Accumulators& of;
  int64_t lane;
  double steps;
  double epsilon;

  D Steps() const { return D{} + steps; }
  D Sum() const { return of.sum.template Value<N>(lane); }
  D Squares() const { return of.squares.template Value<N>(lane); }
  D Deviations() const { return of.deviations.template Value<N>(lane); }
  auto Max() const { return LoadRaw<Vec<Compute, N>>(of.max + lane); }
  auto Min() const { return LoadRaw<Vec<Compute, N>>(of.min + lane); }
  auto MaxCount() const { return Count(of.max_count); }
  auto MinCount() const { return Count(of.min_count); }

  D MeanResidual() const {
    const D mean = PerStep(Sum());
    const D unrounded = LoadRaw<D>(of.unrounded + lane);
    if constexpr (std::is_same_v<Compute, double>) {
      const D sum = LoadRaw<D>(of.sum.value + lane);
      D rest = LoadRaw<D>(of.sum.error + lane) + unrounded;
      for (int i = 0; i < N; ++i) rest[i] += std::fma(-mean[i], steps, sum[i]);
      return rest / steps;
    } else {
      return unrounded / steps - Widen<N>(Narrow<Compute, N>(mean));
    }
  }

  // A division costs more than all else here. If the mean is rounded to float, a product with the
  // inverse is as good, and the compiler computes the inverse once for all channels.
  template <typename V>
  V PerStep(const V& sum) const {
    if constexpr (std::is_same_v<Compute, double>) return sum / steps;
    return sum * (1.0 / steps);
  }

  D Root(const D& power) const { return SquareRoot<N>(power + epsilon); }
  D Unscaled(const D& value) const { return value; }

 private:
  auto Count(const typename Accumulators::Count* counts) const {
    return Convert<Compute, N>(LoadRaw<Vec<typename Accumulators::Count, N>>(counts + lane));
  }
};

// Where a saved field goes, and the statistic that it holds, if selected.
template <typename T>
struct FieldRows {
  using Compute = core::ComputeType<T>;

  FieldRows(const ForwardArguments& a, int field, const Destination& to) {
    const int64_t channels = a.problem.shape.channels;
    const core::StatisticList& statistics = a.problem.statistics;
    const int64_t row = to.b * a.fields.size + field;
    saved = static_cast<Compute*>(a.saved) + row * channels + to.first_channel;
    for (int i = 0; i < statistics.size; ++i) {
      if (core::RowOf(statistics.items[i]).value != a.fields.items[field]) continue;
      const int64_t at = (to.b * statistics.size + i) * channels + to.first_channel;
      if (sizeof(T) == 2 && a.problem.out_dtype == core::DType::kFloat32) {
        float_output = static_cast<float*>(a.y) + at;
      } else {
        output = static_cast<T*>(a.y) + at;
      }
    }
  }

  template <int N>
  STATPOOL_ALWAYS_INLINE void Store(const Vec<Compute, N>& value, int64_t c) const {
    StoreRaw(value, saved + c);
    if (output != nullptr) StoreRaw(Round<T, N>(value), output + c);
    if (sizeof(T) == 2 && float_output != nullptr) StoreRaw(value, float_output + c);
  }

  Compute* saved;
  T* output = nullptr;
  float* float_output = nullptr;
};

// Writes a field of channels [0, width): value(std::integral_constant<int, N>(), c) returns N of
// them. `rows` comes by value, so that the compiler knows that the stores don't change it.
template <int kLanesAtMost, typename T, typename Value>
STATPOOL_INLINE void StoreField(const FieldRows<T> rows, int64_t width, const Value& value) {
  ForLanes<kLanesAtMost>(width, [&](auto lanes, int64_t c) STATPOOL_ALWAYS_INLINE {
    constexpr int N = decltype(lanes)::value;
    rows.template Store<N>(ToVector<Vec<core::ComputeType<T>, N>>(value(lanes, c)), c);
  });
}

// Whether sums of any of lanes [begin, end) overflowed or vanished.
template <typename Accumulators>
bool AreOffScale(const Accumulators& of, const core::NeededSums& needed, double epsilon,
                 int64_t begin, int64_t end) {
  static_assert(core::kSumCount == 5, "every sum that can leave the range of double is tested");
  bool any = false;
  const auto visit = [&](auto lanes, int64_t c) STATPOOL_ALWAYS_INLINE {
    constexpr int N = decltype(lanes)::value;
    using D = Vec<double, N>;
    const auto is_infinite = [&](const double* values) {
      const D value = LoadRaw<D>(values + c);
      return !AllTrue<N>(value - value == 0.0);
    };
    const auto is_off_scale = [&](const double* powers) {
      return !AllTrue<N>(~core::IsOffScale(LoadRaw<D>(powers + c), epsilon));
    };
    any |= (needed.sum && is_infinite(of.sum.value)) ||
           (needed.squares && is_off_scale(of.squares.value)) ||
           (needed.central && is_off_scale(of.deviations.value));
  };
  ForLanes<kLanes<double>>(end, visit, begin);
  return any;
}

// Writes the results of channels whose sums are off scale again, one at a time.
template <typename Accumulators>
void StoreRescaled(const ForwardArguments& a, const core::NeededSums& needed,
                   const Accumulators& of, double steps, const Destination& to) {
  const double epsilon = a.problem.epsilon;
  const bool is_channels_last = a.problem.layout == core::Layout::kChannelsLast;
  if (!AreOffScale(of, needed, epsilon, to.first_lane, to.first_lane + to.width)) return;
  for (int64_t c = 0; c < to.width; ++c) {
    const int64_t lane = to.first_lane + c;
    if (!AreOffScale(of, needed, epsilon, lane, lane + 1)) continue;
    const core::ChannelSteps again(a, a.problem.shape, is_channels_last, a.activation, to.b,
                                   to.first_channel + c);
    using Channel = ChannelLanes<1, Accumulators>;
    const core::RescaledChannel<Channel> channel(Channel{of, lane, steps, epsilon}, again, steps,
                                                 needed, epsilon);
    for (int i = 0; i < a.fields.size; ++i) {
      const FieldRows<double> rows(a, i, to);
      core::WithFormula(a.fields.items[i], [&](const auto& formula) {
        rows.Store<1>(Vec<double, 1>{} + formula(channel), c);
      });
    }
  }
}

// Writes the results of whole examples, of `count` steps each.
template <typename T, typename Accumulators>
void StoreResults(const ForwardArguments& a, const core::NeededSums& needed, const Accumulators& of,
                  int64_t count, const Destination& to) {
  using Compute = core::ComputeType<T>;
  const double steps = static_cast<double>(count);
  const double epsilon = a.problem.epsilon;
  const int64_t first_lane = to.first_lane;  // by value, as `rows`
  for (int i = 0; i < a.fields.size; ++i) {
    const FieldRows<T> rows(a, i, to);
    core::WithFormula(a.fields.items[i], [&](const auto& formula) STATPOOL_ALWAYS_INLINE {
      if (count == 0) {
        const auto value = static_cast<Compute>(formula(core::EmptyChannel{epsilon}));
        return StoreField<kLanes<Compute>>(rows, to.width,
                                           [&](auto lanes, int64_t) STATPOOL_ALWAYS_INLINE {
                                             return Vec<Compute, decltype(lanes)::value>{} + value;
                                           });
      }
      using One = decltype(formula(ChannelLanes<1, Accumulators>{of, 0, steps, epsilon}));
      constexpr int kLanesAtMost = kLanes<std::decay_t<decltype(One{}[0])>>;
      StoreField<kLanesAtMost>(rows, to.width, [&](auto lanes, int64_t c) STATPOOL_ALWAYS_INLINE {
        constexpr int N = decltype(lanes)::value;
        return formula(ChannelLanes<N, Accumulators>{of, first_lane + c, steps, epsilon});
      });
    });
  }
  if constexpr (std::is_same_v<T, double>) {
    if (count > 0) StoreRescaled(a, needed, of, steps, to);
  }
}

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_RESULTS_H_
