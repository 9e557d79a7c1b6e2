// The description of one pooling call, shared by every layer: plain data, no device, no framework.
#ifndef STATPOOL_CORE_PROBLEM_H_
#define STATPOOL_CORE_PROBLEM_H_

#include <cstdint>

namespace statpool {
namespace core {

// Storage types of the two 16-bit formats. What they mean is in core/float16.h.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// 16-bit and float32 values are compared in float, summed a few at a time in it, and these sums
// accumulated in double. float64 has no wider type and is compensated.
template <typename T>
struct ComputeTypeOf {
  using type = float;
};
template <>
struct ComputeTypeOf<double> {
  using type = double;
};
template <typename T>
using ComputeType = typename ComputeTypeOf<T>::type;

enum class DType : int32_t { kFloat16, kBFloat16, kFloat32, kFloat64 };

enum class Layout : int32_t { kChannelsLast, kChannelsFirst };

struct Shape {
  int64_t batch;     // B
  int64_t time;      // T
  int64_t channels;  // C
};

enum class Statistic : int32_t { kMean, kMax, kMin, kL2, kRms, kStd };
constexpr int kStatisticCount = 6;

// The statistics asked for, in output order.
struct StatisticList {
  Statistic items[kStatisticCount];
  int32_t size;
};

// What the gradient needs of the forward pass, per (b, c). One plane is a [B, C] slice of the
// tensor `saved`, [B, planes, C] in the compute type.
enum class Plane : int32_t {
  kSteps,  // N, how many steps count: the same for every channel
  kMean,
  kMeanResidual,  // exact mean - kMean: keeps x - mean exact where the mean is large
  kMax,
  kMaxCount,
  kMin,
  kMinCount,
  kL2,
  kRms,
  kStd,
};
constexpr int kPlaneCount = 10;

struct PlaneList {
  Plane items[kPlaneCount];
  int32_t size;
};

struct Problem {
  Shape shape;
  Layout layout;
  StatisticList statistics;
  double epsilon;
};

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_PROBLEM_H_
