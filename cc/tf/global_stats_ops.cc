#include "cc/tf/global_stats_ops.h"

namespace statpool {
namespace tf {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

namespace {

// Indices of inputs and outputs in ops.cc: a search by name would take time in each call.
constexpr int kY = 0, kSaved = 1;                  // of GlobalStats
constexpr int kUpstream = 0, kSavedByForward = 2;  // of GlobalStatsGrad
constexpr int kDx = 0;

}  // namespace

GlobalStatsOp::GlobalStatsOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
  OP_REQUIRES_OK(ctx, ReadNode(ctx, *this, &node_));
}

void GlobalStatsOp::Compute(OpKernelContext* ctx) {
  PoolingInputs inputs;
  OP_REQUIRES_OK(ctx, ReadInputs(ctx, node_, &inputs));
  Tensor* y = nullptr;
  Tensor* saved = nullptr;
  OP_REQUIRES_OK(ctx, ctx->allocate_output(kY, OutputShape(inputs.problem), &y));
  OP_REQUIRES_OK(ctx, ctx->allocate_output(kSaved, SavedShape(inputs.problem), &saved));
  if (y->NumElements() == 0) return;
  OP_REQUIRES_OK(ctx, CheckLengths(inputs));
  OP_REQUIRES_OK(ctx, Launch(ctx, inputs, y, saved));
}

GlobalStatsGradientOp::GlobalStatsGradientOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
  OP_REQUIRES_OK(ctx, ReadNode(ctx, *this, &node_));
}

void GlobalStatsGradientOp::Compute(OpKernelContext* ctx) {
  PoolingInputs inputs;
  OP_REQUIRES_OK(ctx, ReadInputs(ctx, node_, &inputs));
  const Tensor& upstream = ctx->input(kUpstream);
  const Tensor& saved = ctx->input(kSavedByForward);
  OP_REQUIRES_OK(
      ctx, ExpectShape("upstream", "[B, S * C]", upstream.shape(), OutputShape(inputs.problem)));
  OP_REQUIRES_OK(ctx,
                 ExpectShape("saved", "[B, planes, C]", saved.shape(), SavedShape(inputs.problem)));
  Tensor* dx = nullptr;
  if (CanOverwriteInput()) {
    OP_REQUIRES_OK(ctx,
                   ctx->forward_input_or_allocate_output({node_.x}, kDx, inputs.x->shape(), &dx));
  } else {
    OP_REQUIRES_OK(ctx, ctx->allocate_output(kDx, inputs.x->shape(), &dx));
  }
  if (dx->NumElements() == 0) return;
  OP_REQUIRES_OK(ctx, CheckLengths(inputs));
  OP_REQUIRES_OK(ctx, Launch(ctx, inputs, upstream, saved, dx));
}

absl::Status AllocateWorkspace(OpKernelContext* ctx, int64_t bytes, Tensor* holder,
                               void** workspace) {
  *workspace = nullptr;
  if (bytes == 0) return absl::OkStatus();
  TF_RETURN_IF_ERROR(ctx->allocate_temp(tensorflow::DT_INT8, {bytes}, holder));
  *workspace = holder->data();
  return absl::OkStatus();
}

}  // namespace tf
}  // namespace statpool
