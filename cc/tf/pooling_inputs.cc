#include "cc/tf/pooling_inputs.h"

#include "absl/strings/str_cat.h"
#include "cc/core/statistics.h"
#include "tensorflow/core/framework/types.h"

namespace statpool {
namespace tf {

using tensorflow::DataType;
using tensorflow::Tensor;
using tensorflow::TensorShape;

namespace {

core::DType ToCoreDType(DataType dtype) {
  switch (dtype) {
    case tensorflow::DT_HALF:
      return core::DType::kFloat16;
    case tensorflow::DT_BFLOAT16:
      return core::DType::kBFloat16;
    case tensorflow::DT_FLOAT:
      return core::DType::kFloat32;
    default:  // the op's attribute lists no other type
      return core::DType::kFloat64;
  }
}

absl::Status ParseTypes(const Attributes& a, core::Problem* problem) {
  problem->dtype = ToCoreDType(a.in);
  problem->out_dtype = ToCoreDType(a.out);
  if (!core::CanHoldResults(problem->out_dtype, problem->dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_dtype must be that of x, or float32 for a 16-bit x, got ",
                     DataTypeString(a.out), " for ", DataTypeString(a.in)));
  }
  const DataType expected = a.in == tensorflow::DT_DOUBLE ? a.in : tensorflow::DT_FLOAT;
  if (a.saved == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Tsaved must be ", DataTypeString(expected),
                                                 " for ", DataTypeString(a.in), ", got ",
                                                 DataTypeString(a.saved)));
}

// The index of an optional input, negative if it was not given.
absl::Status FindOptional(const tensorflow::OpKernel& kernel, const char* name, int* index) {
  int end;
  TF_RETURN_IF_ERROR(kernel.InputRange(name, index, &end));
  TF_RETURN_IF_ERROR(CheckAtMostOne(name, end - *index));
  if (end == *index) *index = -1;
  return absl::OkStatus();
}

const Tensor* InputOrNull(tensorflow::OpKernelContext* ctx, int index) {
  return index < 0 ? nullptr : &ctx->input(index);
}

const TensorShape* ShapeOrNull(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : &tensor->shape();
}

}  // namespace

absl::Status AsInvalidArgument(const std::string& broken_rule) {
  return broken_rule.empty() ? absl::OkStatus() : absl::InvalidArgumentError(broken_rule);
}

absl::Status ParseAttributes(const Attributes& a, core::Problem* problem) {
  *problem = {};
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseStatistics(a.statistics, &problem->statistics)));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseEpsilon(a.epsilon, &problem->epsilon)));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseLayout(a.data_format, &problem->layout)));
  double slope = 0;
  TF_RETURN_IF_ERROR(
      AsInvalidArgument(core::ParseNumber("negative_slope", a.negative_slope, &slope)));
  TF_RETURN_IF_ERROR(
      AsInvalidArgument(core::ParseActivation(a.input_activation, slope, &problem->activation)));
  return ParseTypes(a, problem);
}

absl::Status CheckAtMostOne(const char* name, int64_t tensors) {
  if (tensors <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be at most one tensor, got ", tensors));
}

absl::Status ReadShapes(const TensorShape& x, const TensorShape* mask, const TensorShape* lengths,
                        core::Problem* problem) {
  TF_RETURN_IF_ERROR(AsInvalidArgument(
      core::CheckRank(x.dims(), problem->layout, [&] { return x.DebugString(); })));
  core::Shape& shape = problem->shape;
  shape = core::ShapeOf(problem->layout, x.dim_size(0), x.dim_size(1), x.dim_size(2));
  if (mask != nullptr) {
    TF_RETURN_IF_ERROR(
        ExpectShape("mask", "[B, T]", *mask, TensorShape({shape.batch, shape.time})));
  }
  if (lengths == nullptr) return absl::OkStatus();
  return ExpectShape("lengths", "[B]", *lengths, TensorShape({shape.batch}));
}

absl::Status ReadNode(tensorflow::OpKernelConstruction* ctx, const tensorflow::OpKernel& kernel,
                      PoolingNode* node) {
  TF_RETURN_IF_ERROR(ReadAttributes(ctx, &node->attributes));
  int end;
  TF_RETURN_IF_ERROR(kernel.InputRange("x", &node->x, &end));
  TF_RETURN_IF_ERROR(FindOptional(kernel, "mask", &node->mask));
  return FindOptional(kernel, "lengths", &node->lengths);
}

absl::Status ReadInputs(tensorflow::OpKernelContext* ctx, const PoolingNode& node,
                        PoolingInputs* inputs) {
  inputs->problem = node.attributes;
  inputs->x = &ctx->input(node.x);
  inputs->mask = InputOrNull(ctx, node.mask);
  inputs->lengths = InputOrNull(ctx, node.lengths);
  return ReadShapes(inputs->x->shape(), ShapeOrNull(inputs->mask), ShapeOrNull(inputs->lengths),
                    &inputs->problem);
}

absl::Status CheckLengths(const PoolingInputs& inputs) {
  if (inputs.lengths == nullptr) return absl::OkStatus();
  const int64_t* lengths = inputs.lengths->flat<int64_t>().data();
  return AsInvalidArgument(core::CheckLengths(lengths, inputs.problem.shape));
}

absl::Status ExpectShape(const char* name, const char* rule, const TensorShape& received,
                         const TensorShape& expected) {
  if (received == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have shape ", rule, " = ",
                                                 expected.DebugString(), ", got ",
                                                 received.DebugString()));
}

TensorShape OutputShape(const core::Problem& problem) {
  return TensorShape({problem.shape.batch, problem.statistics.size * problem.shape.channels});
}

TensorShape SavedShape(const core::Problem& problem) {
  return TensorShape(
      {problem.shape.batch, core::SavedFieldsOf(problem.statistics).size, problem.shape.channels});
}

}  // namespace tf
}  // namespace statpool
