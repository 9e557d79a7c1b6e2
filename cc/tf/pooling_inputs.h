// Attributes and inputs of both ops, read and validated once for kernels, shape functions and XLA.
#ifndef STATPOOL_TF_POOLING_INPUTS_H_
#define STATPOOL_TF_POOLING_INPUTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cc/core/problem.h"
#include "cc/core/rules.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace statpool {
namespace tf {

// Fields of a streaming state: Statpool>StreamingUpdate has them before x, and returns them first.
constexpr int kStateFields = 9;

// "" becomes OK, anything else an InvalidArgumentError.
absl::Status AsInvalidArgument(const std::string& broken_rule);

// The attributes of a node as its type declares them.
struct Attributes {
  std::vector<std::string> statistics;
  std::string epsilon;
  std::string data_format;
  std::string input_activation;
  std::string negative_slope;
  tensorflow::DataType in;     // of x
  tensorflow::DataType out;    // of y
  tensorflow::DataType saved;  // of saved
};

// The problem that they describe, without its shape.
absl::Status ParseAttributes(const Attributes& attributes, core::Problem* problem);

// Reads them from an OpKernelConstruction or an InferenceContext.
template <typename Context>
absl::Status ReadAttributes(Context* context, core::Problem* problem) {
  Attributes a;
  TF_RETURN_IF_ERROR(context->GetAttr("statistics", &a.statistics));
  TF_RETURN_IF_ERROR(context->GetAttr("epsilon", &a.epsilon));
  TF_RETURN_IF_ERROR(context->GetAttr("data_format", &a.data_format));
  TF_RETURN_IF_ERROR(context->GetAttr("input_activation", &a.input_activation));
  TF_RETURN_IF_ERROR(context->GetAttr("negative_slope", &a.negative_slope));
  TF_RETURN_IF_ERROR(context->GetAttr("T", &a.in));
  TF_RETURN_IF_ERROR(context->GetAttr("Tout", &a.out));
  TF_RETURN_IF_ERROR(context->GetAttr("Tsaved", &a.saved));
  return ParseAttributes(a, problem);
}

// An optional input is a list of at most one tensor.
absl::Status CheckAtMostOne(const char* name, int64_t tensors);

// Sets the problem's shape by that of x, and checks those of mask and lengths, which are null if
// not given.
absl::Status ReadShapes(const tensorflow::TensorShape& x, const tensorflow::TensorShape* mask,
                        const tensorflow::TensorShape* lengths, core::Problem* problem);

// What is known of a node before any call: its attributes, and the indices of its inputs.
struct PoolingNode {
  core::Problem attributes;  // the problem without its shape
  int x;
  int mask, lengths;  // negative if not given
};
absl::Status ReadNode(tensorflow::OpKernelConstruction* ctx, const tensorflow::OpKernel& kernel,
                      PoolingNode* node);

// The inputs that both ops share, checked against the contract. Mask and lengths are null if not
// given.
struct PoolingInputs {
  core::Problem problem;
  const tensorflow::Tensor* x;
  const tensorflow::Tensor* mask;
  const tensorflow::Tensor* lengths;
};
absl::Status ReadInputs(tensorflow::OpKernelContext* ctx, const PoolingNode& node,
                        PoolingInputs* inputs);

// OK if lengths, which must be in host memory, are in [0, T].
absl::Status CheckLengths(const PoolingInputs& inputs);

// OK if a tensor has the shape that the rule, such as "[B, T]", describes.
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

#endif  // STATPOOL_TF_POOLING_INPUTS_H_
