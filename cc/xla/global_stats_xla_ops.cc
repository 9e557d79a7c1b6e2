// Both ops inside XLA: each becomes a custom call to the same kernels. The only file that includes
// tf2xla, whose headers take a minute to compile.
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cc/cpu/plan.h"
#include "cc/tf/pooling_inputs.h"
#include "cc/xla/custom_call.h"
#include "tensorflow/compiler/tf2xla/shape_util.h"
#include "tensorflow/compiler/tf2xla/type_util.h"
#include "tensorflow/compiler/tf2xla/xla_op_kernel.h"
#include "tensorflow/compiler/tf2xla/xla_op_registry.h"
#include "xla/hlo/builder/lib/constants.h"
#include "xla/hlo/builder/xla_builder.h"
#include "xla/shape_util.h"

namespace statpool {
namespace xla {
namespace {

using ::tensorflow::OpKernelConstruction;
using ::tensorflow::TensorShape;
using ::tensorflow::XlaOpKernelContext;
using ::xla::Shape;
using ::xla::ShapeUtil;
using ::xla::XlaOp;

// The attributes as an MLIR dictionary, which typed custom calls require.
std::string BackendConfig(const core::Problem& problem) {
  const core::StatisticList& list = problem.statistics;
  const auto number = [](std::string* text, core::Statistic item) {
    absl::StrAppend(text, static_cast<int>(item));
  };
  const std::string items = absl::StrJoin(list.items, list.items + list.size, ", ", number);
  // 17 digits say exactly which float64 it is.
  return absl::StrFormat(
      "{%s = %.16e : f64, %s = %d : i32, %s = array<i32: %s>, %s = %d : i32, %s = %.16e : f64}",
      kEpsilon, problem.epsilon, kLayout, static_cast<int>(problem.layout), kStatistics, items,
      kActivation, static_cast<int>(problem.activation.kind), kNegativeSlope,
      problem.activation.negative_slope);
}

// The inputs as operands, and the problem with their shapes. XLA knows all sizes when it compiles,
// also those that a graph leaves open.
struct Operands {
  XlaOp x;
  std::vector<XlaOp> optional;  // mask, lengths
  core::Problem problem;
};

class PoolingXlaOp : public tensorflow::XlaOpKernel {
 public:
  explicit PoolingXlaOp(OpKernelConstruction* ctx) : XlaOpKernel(ctx) {
    OP_REQUIRES_OK(ctx, tf::ReadAttributes(ctx, &attributes_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("Tout", &out_dtype_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("Tsaved", &saved_dtype_));
  }

 protected:
  absl::StatusOr<Operands> ReadOperands(XlaOpKernelContext* ctx) const {
    Operands operands;
    std::vector<XlaOp> handles;
    std::vector<TensorShape> x, mask, lengths;
    TF_RETURN_IF_ERROR(ctx->InputList("x", &handles, &x));
    operands.x = handles[0];
    for (auto [name, shapes] : {std::pair("mask", &mask), std::pair("lengths", &lengths)}) {
      TF_RETURN_IF_ERROR(ctx->InputList(name, &handles, shapes));
      TF_RETURN_IF_ERROR(tf::CheckAtMostOne(name, handles.size()));
      operands.optional.insert(operands.optional.end(), handles.begin(), handles.end());
    }
    operands.problem = attributes_;
    TF_RETURN_IF_ERROR(tf::ReadShapes(x[0], mask.empty() ? nullptr : &mask[0],
                                      lengths.empty() ? nullptr : &lengths[0], &operands.problem));
    return operands;
  }

  // Row-major shapes, because the kernels know no others.
  absl::StatusOr<Shape> OutputShape(const core::Problem& problem) const {
    return tensorflow::TensorShapeToXLAShape(out_dtype_, tf::OutputShape(problem));
  }
  absl::StatusOr<Shape> SavedShape(const core::Problem& problem) const {
    return tensorflow::TensorShapeToXLAShape(saved_dtype_, tf::SavedShape(problem));
  }

  // Without side effects: XLA may drop a call whose results are not read.
  absl::StatusOr<XlaOp> Call(XlaOpKernelContext* ctx, const char* target,
                             const std::vector<XlaOp>& operands, const Shape& result,
                             const core::Problem& problem) const {
    std::vector<Shape> shapes;
    for (XlaOp operand : operands) {
      TF_ASSIGN_OR_RETURN(Shape shape, ctx->builder()->GetShape(operand));
      if (!shape.is_static()) {
        // Not an error of the input: auto-clustering runs what is unimplemented without XLA.
        return absl::UnimplementedError(
            absl::StrCat("inputs must have sizes that XLA knows when it compiles, got ",
                         ShapeUtil::HumanString(shape),
                         "; give them static sizes, or use implementation='composite'"));
      }
      shapes.push_back(ShapeUtil::MakeShape(shape.element_type(), shape.dimensions()));
    }
    return ::xla::CustomCallWithLayout(ctx->builder(), target, operands, result, shapes,
                                       BackendConfig(problem), /*has_side_effect=*/false,
                                       /*output_operand_aliasing=*/{}, /*literal=*/nullptr,
                                       ::xla::CustomCallSchedule::SCHEDULE_NONE,
                                       ::xla::CustomCallApiVersion::API_VERSION_TYPED_FFI);
  }

 private:
  core::Problem attributes_;
  tensorflow::DataType out_dtype_, saved_dtype_;
};

class GlobalStatsXlaOp : public PoolingXlaOp {
 public:
  explicit GlobalStatsXlaOp(OpKernelConstruction* ctx) : PoolingXlaOp(ctx) {}

  void Compile(XlaOpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Emit(ctx)); }

 protected:
  // Bytes of memory that the handler needs as a third result.
  virtual int64_t WorkspaceBytes(const core::Problem& problem) const = 0;

 private:
  absl::Status Emit(XlaOpKernelContext* ctx) const {
    TF_ASSIGN_OR_RETURN(Operands operands, ReadOperands(ctx));
    const core::Problem& problem = operands.problem;
    TF_ASSIGN_OR_RETURN(const Shape y, OutputShape(problem));
    TF_ASSIGN_OR_RETURN(const Shape saved, SavedShape(problem));
    if (ShapeUtil::IsZeroElementArray(y)) {  // as in TensorFlow, no kernel runs
      ctx->SetOutput(0, ::xla::Zeros(ctx->builder(), y));
      ctx->SetOutput(1, ::xla::Zeros(ctx->builder(), saved));
      return absl::OkStatus();
    }
    std::vector<Shape> results = {y, saved};
    if (const int64_t bytes = WorkspaceBytes(problem); bytes > 0) {
      results.push_back(ShapeUtil::MakeShape(::xla::U8, {bytes}));
    }
    std::vector<XlaOp> inputs = {operands.x};
    inputs.insert(inputs.end(), operands.optional.begin(), operands.optional.end());
    TF_ASSIGN_OR_RETURN(const XlaOp call, Call(ctx, kGlobalStatsTarget, inputs,
                                               ShapeUtil::MakeTupleShape(results), problem));
    ctx->SetOutput(0, ::xla::GetTupleElement(call, 0));
    ctx->SetOutput(1, ::xla::GetTupleElement(call, 1));
    return absl::OkStatus();
  }
};

class GlobalStatsXlaOpCpu final : public GlobalStatsXlaOp {
 public:
  using GlobalStatsXlaOp::GlobalStatsXlaOp;

 private:
  int64_t WorkspaceBytes(const core::Problem& problem) const override {
    return cpu::MakePlan(problem).workspace_bytes;
  }
};

// How much workspace the handler needs depends on the GPU, so it allocates it when it runs.
class GlobalStatsXlaOpGpu final : public GlobalStatsXlaOp {
 public:
  using GlobalStatsXlaOp::GlobalStatsXlaOp;

 private:
  int64_t WorkspaceBytes(const core::Problem&) const override { return 0; }
};

class GlobalStatsGradientXlaOp final : public PoolingXlaOp {
 public:
  explicit GlobalStatsGradientXlaOp(OpKernelConstruction* ctx) : PoolingXlaOp(ctx) {}

  void Compile(XlaOpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Emit(ctx)); }

 private:
  absl::Status Emit(XlaOpKernelContext* ctx) const {
    TF_ASSIGN_OR_RETURN(Operands operands, ReadOperands(ctx));
    const core::Problem& problem = operands.problem;
    std::vector<XlaOp> inputs;
    for (auto [name, rule, expected] :
         {std::tuple("upstream", "[B, S * C]", tf::OutputShape(problem)),
          std::tuple("saved", "[B, planes, C]", tf::SavedShape(problem))}) {
      std::vector<XlaOp> handles;
      std::vector<TensorShape> shapes;
      TF_RETURN_IF_ERROR(ctx->InputList(name, &handles, &shapes));
      TF_RETURN_IF_ERROR(tf::ExpectShape(name, rule, shapes[0], expected));
      inputs.push_back(handles[0]);
    }
    inputs.insert(inputs.begin() + 1, operands.x);
    inputs.insert(inputs.end(), operands.optional.begin(), operands.optional.end());
    TF_ASSIGN_OR_RETURN(Shape dx, ctx->builder()->GetShape(operands.x));
    dx = ShapeUtil::MakeShape(dx.element_type(), dx.dimensions());
    if (ShapeUtil::IsZeroElementArray(dx)) {
      ctx->SetOutput(0, ::xla::Zeros(ctx->builder(), dx));
      return absl::OkStatus();
    }
    TF_ASSIGN_OR_RETURN(const XlaOp call,
                        Call(ctx, kGlobalStatsGradientTarget, inputs, dx, problem));
    ctx->SetOutput(0, call);
    return absl::OkStatus();
  }
};

// Plain registrations for XLA's compilation devices instead of REGISTER_XLA_OP: TensorFlow turns
// those into kernels once, at the first compilation in the process, and misses what is loaded
// later.
REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStats").Device("XLA_CPU_JIT"), GlobalStatsXlaOpCpu);
REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStatsGrad").Device("XLA_CPU_JIT"),
                        GlobalStatsGradientXlaOp);

#ifdef STATPOOL_WITH_CUDA
REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStats").Device("XLA_GPU_JIT"), GlobalStatsXlaOpGpu);
REGISTER_KERNEL_BUILDER(Name("Statpool>GlobalStatsGrad").Device("XLA_GPU_JIT"),
                        GlobalStatsGradientXlaOp);
#endif

}  // namespace
}  // namespace xla
}  // namespace statpool
