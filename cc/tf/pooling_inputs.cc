#include "cc/tf/pooling_inputs.h"

#include "absl/strings/str_cat.h"
#include "cc/core/statistics.h"
#include "tensorflow/core/framework/types.h"

namespace statpool {
namespace tf {

using tensorflow::DataType;
using tensorflow::OpInputList;
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

// The only tensor of an optional input, null if it was not given.
absl::Status ReadOptional(tensorflow::OpKernelContext* ctx, const char* name,
                          const Tensor** tensor) {
  OpInputList list;
  TF_RETURN_IF_ERROR(ctx->input_list(name, &list));
  TF_RETURN_IF_ERROR(CheckAtMostOne(name, list.size()));
  *tensor = list.size() == 1 ? &list[0] : nullptr;
  return absl::OkStatus();
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
  return ParseTypes(a, problem);
}

absl::Status CheckAtMostOne(const char* name, int64_t tensors) {
  if (tensors <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be at most one tensor, got ", tensors));
}

absl::Status ReadShapes(const TensorShape& x, const TensorShape* mask, const TensorShape* lengths,
                        core::Problem* problem) {
  TF_RETURN_IF_ERROR(
      AsInvalidArgument(core::CheckRank(x.dims(), problem->layout, x.DebugString())));
  core::Shape& shape = problem->shape;
  shape = core::ShapeOf(problem->layout, x.dim_size(0), x.dim_size(1), x.dim_size(2));
  if (mask != nullptr) {
    TF_RETURN_IF_ERROR(
        ExpectShape("mask", "[B, T]", *mask, TensorShape({shape.batch, shape.time})));
  }
  if (lengths == nullptr) return absl::OkStatus();
  return ExpectShape("lengths", "[B]", *lengths, TensorShape({shape.batch}));
}

absl::Status ReadInputs(tensorflow::OpKernelContext* ctx, const core::Problem& attributes,
                        PoolingInputs* inputs) {
  inputs->problem = attributes;
  TF_RETURN_IF_ERROR(ctx->input("x", &inputs->x));
  TF_RETURN_IF_ERROR(ReadOptional(ctx, "mask", &inputs->mask));
  TF_RETURN_IF_ERROR(ReadOptional(ctx, "lengths", &inputs->lengths));
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
