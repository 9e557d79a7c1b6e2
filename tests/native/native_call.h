// A pooling call as Python hands it to native test programs; tests/support/native_call.py has the
// same.
#ifndef STATPOOL_TESTS_NATIVE_NATIVE_CALL_H_
#define STATPOOL_TESTS_NATIVE_NATIVE_CALL_H_

#include <cstdint>

#include "cc/core/problem.h"

namespace statpool {
namespace tests {

struct NativeCall {
  int64_t batch;
  int64_t time;
  int64_t channels;
  double epsilon;
  double negative_slope;
  int32_t activation;
  int32_t is_channels_first;
  int32_t dtype;
  int32_t out_dtype;
  int32_t statistics;
  int32_t statistic[core::kStatisticCount];
};

inline core::Problem ProblemOf(const NativeCall& call) {
  core::Problem problem = {};
  problem.shape = {call.batch, call.time, call.channels};
  problem.layout = static_cast<core::Layout>(call.is_channels_first);
  problem.epsilon = call.epsilon;
  problem.activation = {static_cast<core::Activation>(call.activation), call.negative_slope};
  problem.dtype = static_cast<core::DType>(call.dtype);
  problem.out_dtype = static_cast<core::DType>(call.out_dtype);
  problem.statistics.size = call.statistics;
  for (int i = 0; i < call.statistics; ++i) {
    problem.statistics.items[i] = static_cast<core::Statistic>(call.statistic[i]);
  }
  return problem;
}

}  // namespace tests
}  // namespace statpool

#endif  // STATPOOL_TESTS_NATIVE_NATIVE_CALL_H_
