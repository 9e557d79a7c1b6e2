// The description of one pooling call, shared by every layer: plain data, no device, no framework.
#ifndef STATPOOL_CORE_PROBLEM_H_
#define STATPOOL_CORE_PROBLEM_H_

#include <cstdint>

#include "cc/core/statistics.h"

namespace statpool {
namespace core {

// Storage types of the two 16-bit formats. What they mean is in core/float16.h.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

// 16-bit and float32 values are compared in float. A few at a time are summed in float, and these
// sums in double. float64 has no wider type: its sums carry their rounding errors.
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

// The shape behind the sizes of x.
static inline Shape ShapeOf(Layout layout, int64_t size_0, int64_t size_1, int64_t size_2) {
  if (layout == Layout::kChannelsLast) return {size_0, size_1, size_2};
  return {size_0, size_2, size_1};
}

// What x goes through before it is pooled (core/activation.h).
enum class Activation : int32_t { kNone, kRelu, kLeakyRelu };
constexpr int kActivationCount = 3;

struct InputActivation {
  Activation kind = Activation::kNone;
  double negative_slope = 0;  // of kLeakyRelu, in (0, 1]
};

struct Problem {
  Shape shape;
  Layout layout;
  StatisticList statistics;
  double epsilon;
  DType dtype;      // of x
  DType out_dtype;  // of the results: dtype, or kFloat32 for 16-bit dtypes
  InputActivation activation;
};

// What a forward pass reads and writes, all of it on one device.
struct ForwardBuffers {
  void* y;                 // [B, S * C], out_dtype
  void* saved;             // [B, planes, C], compute type of dtype
  const void* x;           // [B, T, C] or [B, C, T], dtype
  const bool* mask;        // [B, T] or null
  const int64_t* lengths;  // [B] or null
  void* workspace;         // plan.workspace_bytes large; null if that is 0
};

// What a gradient pass reads and writes.
struct GradientBuffers {
  void* dx;                // as x
  const void* upstream;    // [B, S * C], out_dtype
  const void* x;           // [B, T, C] or [B, C, T], dtype
  const void* saved;       // [B, planes, C], compute type of dtype
  const bool* mask;        // [B, T] or null
  const int64_t* lengths;  // [B] or null
};

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_PROBLEM_H_
