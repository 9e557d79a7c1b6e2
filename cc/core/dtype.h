// Bytes of a value of each dtype, in storage and in the compute type.
#ifndef STATPOOL_CORE_DTYPE_H_
#define STATPOOL_CORE_DTYPE_H_

#include <cstdint>

#include "cc/core/problem.h"

namespace statpool {
namespace core {

static inline int64_t BytesOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kFloat32:
      return 4;
    case DType::kFloat64:
      break;
  }
  return 8;
}

static inline int64_t ComputeBytesOf(DType dtype) { return dtype == DType::kFloat64 ? 8 : 4; }

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_DTYPE_H_
