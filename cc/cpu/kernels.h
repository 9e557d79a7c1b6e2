// What an instruction set offers: one function per pass, for a range of units of the plan.
#ifndef STATPOOL_CPU_KERNELS_H_
#define STATPOOL_CPU_KERNELS_H_

#include <cstdint>

#include "cc/core/problem.h"
#include "cc/cpu/plan.h"

namespace statpool {
namespace cpu {

struct ForwardArguments {
  void* y;                 // [B, S * C], out_dtype
  void* saved;             // [B, planes, C], compute type of dtype
  const void* x;           // [B, T, C] or [B, C, T], dtype
  const bool* mask;        // [B, T] or null
  const int64_t* lengths;  // [B] or null
  core::Problem problem;
  core::DType dtype;
  core::DType out_dtype;  // dtype, or kFloat32 for 16-bit dtypes
  core::PlaneList planes;
  Plan plan;
  char* partials;  // of [B, splits], cc/cpu/partials.h; null for a plan of one split
};

struct GradientArguments {
  void* dx;              // as x
  const void* upstream;  // [B, S * C], out_dtype
  const void* x;
  const void* saved;
  const bool* mask;
  const int64_t* lengths;
  core::Problem problem;
  core::DType dtype;
  core::DType out_dtype;
  core::PlaneList planes;
  Plan plan;
  bool streaming;  // dx exceeds the caches: write around them
};

struct Kernels {
  // Units [begin, end) of the plan: finished results, or the partial ones of each split.
  void (*forward)(const ForwardArguments&, int64_t begin, int64_t end);
  // Joins the splits of tiles [begin, end), of which there are batch * plan.tiles.
  void (*join)(const ForwardArguments&, int64_t begin, int64_t end);
  void (*gradient)(const GradientArguments&, int64_t begin, int64_t end);
};

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_KERNELS_H_
