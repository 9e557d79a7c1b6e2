#include "cc/tf/problem_attributes.h"

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

absl::Status CheckDataTypes(DataType in, DataType out, DataType saved) {
  const bool is_16_bit = in == tensorflow::DT_HALF || in == tensorflow::DT_BFLOAT16;
  if (out != in && !(is_16_bit && out == tensorflow::DT_FLOAT)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output_dtype must be that of x, or float32 for a 16-bit x, got ",
                     DataTypeString(out), " for ", DataTypeString(in)));
  }
  const DataType expected = in == tensorflow::DT_DOUBLE ? in : tensorflow::DT_FLOAT;
  if (saved == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Tsaved must be ", DataTypeString(expected),
                                                 " for ", DataTypeString(in), ", got ",
                                                 DataTypeString(saved)));
}

absl::Status ReadAttributes(tensorflow::OpKernelConstruction* ctx, ProblemAttributes* attributes) {
  std::vector<std::string> statistics;
  std::string epsilon, data_format;
  DataType dtype, out_dtype, saved_dtype;
  TF_RETURN_IF_ERROR(ctx->GetAttr("statistics", &statistics));
  TF_RETURN_IF_ERROR(ctx->GetAttr("epsilon", &epsilon));
  TF_RETURN_IF_ERROR(ctx->GetAttr("data_format", &data_format));
  TF_RETURN_IF_ERROR(ctx->GetAttr("T", &dtype));
  TF_RETURN_IF_ERROR(ctx->GetAttr("Tout", &out_dtype));
  TF_RETURN_IF_ERROR(ctx->GetAttr("Tsaved", &saved_dtype));
  TF_RETURN_IF_ERROR(CheckDataTypes(dtype, out_dtype, saved_dtype));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseStatistics(statistics, &attributes->statistics)));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseEpsilon(epsilon, &attributes->epsilon)));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseLayout(data_format, &attributes->layout)));
  attributes->dtype = ToCoreDType(dtype);
  attributes->out_dtype = ToCoreDType(out_dtype);
  return absl::OkStatus();
}

absl::Status CheckAtMostOne(const char* name, int64_t tensors) {
  if (tensors <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be at most one tensor, got ", tensors));
}

absl::Status MakeProblem(const ProblemAttributes& attributes, const TensorShape& x,
                         const TensorShape* mask, const TensorShape* lengths,
                         core::Problem* problem) {
  const bool last = attributes.layout == core::Layout::kChannelsLast;
  if (x.dims() != 3) {
    return absl::InvalidArgumentError(absl::StrCat(
        "x must have rank 3, ", last ? "[B, T, C]" : "[B, C, T]", ", got shape ", x.DebugString()));
  }
  const core::Shape shape = {x.dim_size(0), x.dim_size(last ? 1 : 2), x.dim_size(last ? 2 : 1)};
  *problem = {shape, attributes.layout, attributes.statistics, attributes.epsilon};
  if (mask != nullptr) {
    TF_RETURN_IF_ERROR(
        ExpectShape("mask", "[B, T]", *mask, TensorShape({shape.batch, shape.time})));
  }
  if (lengths == nullptr) return absl::OkStatus();
  return ExpectShape("lengths", "[B]", *lengths, TensorShape({shape.batch}));
}

absl::Status ReadInputs(tensorflow::OpKernelContext* ctx, const ProblemAttributes& attributes,
                        PoolingInputs* inputs) {
  TF_RETURN_IF_ERROR(ctx->input("x", &inputs->x));
  TF_RETURN_IF_ERROR(ReadOptional(ctx, "mask", &inputs->mask));
  TF_RETURN_IF_ERROR(ReadOptional(ctx, "lengths", &inputs->lengths));
  return MakeProblem(attributes, inputs->x->shape(), ShapeOrNull(inputs->mask),
                     ShapeOrNull(inputs->lengths), &inputs->problem);
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
      {problem.shape.batch, core::SavedPlanes(problem.statistics).size, problem.shape.channels});
}

}  // namespace tf
}  // namespace statpool
