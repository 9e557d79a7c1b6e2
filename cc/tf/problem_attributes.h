// What both ops read from their attributes and inputs, validated once.
#ifndef STATPOOL_TF_PROBLEM_ATTRIBUTES_H_
#define STATPOOL_TF_PROBLEM_ATTRIBUTES_H_

#include "absl/status/status.h"
#include "cc/core/problem.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace statpool {
namespace tf {

// "" becomes OK, anything else an InvalidArgumentError.
absl::Status AsInvalidArgument(const std::string& broken_rule);

core::DType ToCoreDType(tensorflow::DataType dtype);

// The types of x, y and saved must fit together.
absl::Status CheckDataTypes(tensorflow::DataType in, tensorflow::DataType out,
                            tensorflow::DataType saved);

// Attributes of a node, checked at construction.
struct ProblemAttributes {
  core::StatisticList statistics;
  double epsilon;
  core::Layout layout;
  core::DType dtype;
  core::DType out_dtype;
};
absl::Status ReadAttributes(tensorflow::OpKernelConstruction* ctx, ProblemAttributes* attributes);

// An optional input is a list of at most one tensor.
absl::Status CheckAtMostOne(const char* name, int64_t tensors);

// The problem that these shapes pose, checked against the contract. Those of mask and lengths are
// null where none was given.
absl::Status MakeProblem(const ProblemAttributes& attributes, const tensorflow::TensorShape& x,
                         const tensorflow::TensorShape* mask,
                         const tensorflow::TensorShape* lengths, core::Problem* problem);

// The inputs that both ops share, checked against the contract. Masks and lengths are null where
// none was given.
struct PoolingInputs {
  core::Problem problem;
  const tensorflow::Tensor* x;
  const tensorflow::Tensor* mask;
  const tensorflow::Tensor* lengths;
};
absl::Status ReadInputs(tensorflow::OpKernelContext* ctx, const ProblemAttributes& attributes,
                        PoolingInputs* inputs);

// OK if a tensor has the shape that the rule, such as "[B, T]", asks for.
absl::Status ExpectShape(const char* name, const char* rule,
                         const tensorflow::TensorShape& received,
                         const tensorflow::TensorShape& expected);

// [B, S * C] and [B, planes, C].
tensorflow::TensorShape OutputShape(const core::Problem& problem);
tensorflow::TensorShape SavedShape(const core::Problem& problem);

template <typename T>
const T* DataOrNull(const tensorflow::Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->flat<T>().data();
}

}  // namespace tf
}  // namespace statpool

#endif  // STATPOOL_TF_PROBLEM_ATTRIBUTES_H_
