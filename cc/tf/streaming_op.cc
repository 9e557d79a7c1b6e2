// Statpool>StreamingUpdate on the CPU. Elsewhere a state is updated by operations of its own, which
// XLA fuses; eager calls of a live stream would take a hundred of them for each piece.
#include <array>

#include "absl/strings/str_cat.h"
#include "cc/core/accumulators.h"
#include "cc/core/streaming_state.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/cpu/simd/full_precision.h"
#include "cc/tf/global_stats_ops.h"
#include "cc/tf/pool_threads.h"
#include "tensorflow/core/util/work_sharder.h"

namespace statpool {
namespace tf {
namespace {

using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// A state, of which the tensors are what the op is given or returns.
template <typename Compute, bool kWritten>
class StateRows {
  template <typename T>
  using Pointer = std::conditional_t<kWritten, T*, const T*>;

 public:
  template <typename TensorAt>
  explicit StateRows(const TensorAt& tensor)
      : count(Data<int64_t>(tensor(0))),
        sum(Data<double>(tensor(1))),
        sum_rest(Data<double>(tensor(2))),
        squares(Data<double>(tensor(3))),
        squares_rest(Data<double>(tensor(4))),
        max(Data<Compute>(tensor(5))),
        max_count(Data<int64_t>(tensor(6))),
        min(Data<Compute>(tensor(7))),
        min_count(Data<int64_t>(tensor(8))) {}

  core::ChannelState<Compute> At(int64_t i) const {
    return {{sum[i], sum_rest[i]}, {squares[i], squares_rest[i]}, max[i], min[i], max_count[i],
            min_count[i]};
  }

  void Set(int64_t i, const core::ChannelState<Compute>& state) const {
    sum[i] = state.sum.value;
    sum_rest[i] = state.sum.rest;
    squares[i] = state.squares.value;
    squares_rest[i] = state.squares.rest;
    max[i] = state.max;
    max_count[i] = state.max_count;
    min[i] = state.min;
    min_count[i] = state.min_count;
  }

  const Pointer<int64_t> count;

 private:
  template <typename T>
  static Pointer<T> Data(const Tensor* tensor) {
    return static_cast<Pointer<T>>(tensor->data());
  }

  const Pointer<double> sum, sum_rest, squares, squares_rest;
  const Pointer<Compute> max;
  const Pointer<int64_t> max_count;
  const Pointer<Compute> min;
  const Pointer<int64_t> min_count;
};

constexpr int64_t kCyclesOfChannel = 200;  // that an update takes, with its divisions

int64_t CountSteps(const PoolingInputs& inputs, int64_t b) {
  const int64_t time = inputs.problem.shape.time;
  const int64_t end = core::EndOfExample(DataOrNull<int64_t>(inputs.lengths), b, time);
  if (inputs.mask == nullptr) return end;
  const bool* const mask = DataOrNull<bool>(inputs.mask) + b * time;
  int64_t steps = 0;
  for (int64_t t = 0; t < end; ++t) steps += core::Keeps(mask, t);
  return steps;
}

// The state of examples [begin, end) after a piece, from what the kernels saved of it.
template <typename Compute, typename Before, typename After>
void Update(const PoolingInputs& inputs, const Tensor& saved, const Before& before,
            const After& after, int64_t begin, int64_t end) {
  const cpu::ScopedFullPrecision full_precision;
  constexpr core::SavedFieldList kFields = core::SavedFieldsOf(core::kPieceStatistics);
  const core::Shape& shape = inputs.problem.shape;
  const StateRows<Compute, false> old(before);
  const StateRows<Compute, true> updated(after);
  for (int64_t b = begin; b < end; ++b) {
    const auto* planes =
        static_cast<const Compute*>(saved.data()) + b * kFields.size * shape.channels;
    const int64_t steps = CountSteps(inputs, b);
    updated.count[b] = old.count[b] + steps;
    for (int64_t c = 0; c < shape.channels; ++c) {
      const auto at = [&](core::SavedField field) {
        return planes[core::PlaceOf(field, kFields) * shape.channels + c];
      };
      using Field = core::SavedField;
      const core::Piece<Compute> piece = {
          at(Field::kMean), at(Field::kMeanResidual), at(Field::kMax), at(Field::kMaxCount),
          at(Field::kMin),  at(Field::kMinCount),     at(Field::kStd)};
      const int64_t i = b * shape.channels + c;
      updated.Set(i, core::Merged(old.At(i), core::StateOf(piece, steps)));
    }
  }
}

class StreamingUpdateOp final : public tensorflow::OpKernel {
 public:
  explicit StreamingUpdateOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadNode(ctx, *this, &node_));
    const core::StatisticList& asked = node_.attributes.statistics;
    bool is_piece = asked.size == core::kPieceStatistics.size && node_.attributes.epsilon == 0;
    for (int i = 0; is_piece && i < asked.size; ++i) {
      is_piece = asked.items[i] == core::kPieceStatistics.items[i];
    }
    OP_REQUIRES(ctx, is_piece,
                absl::InvalidArgumentError("statistics must be mean, max, min, std with epsilon 0; "
                                           "call statpool.streaming.update"));
  }

  void Compute(OpKernelContext* ctx) override {
    PoolingInputs inputs;
    OP_REQUIRES_OK(ctx, ReadInputs(ctx, node_, &inputs));
    OP_REQUIRES_OK(ctx, CheckLengths(inputs));
    const core::Shape& shape = inputs.problem.shape;
    std::array<Tensor*, kStateFields> after;
    for (int i = 0; i < kStateFields; ++i) {
      const TensorShape expected =
          i == 0 ? TensorShape({shape.batch}) : TensorShape({shape.batch, shape.channels});
      OP_REQUIRES_OK(
          ctx, ExpectShape("state", i == 0 ? "[B]" : "[B, C]", ctx->input(i).shape(), expected));
      OP_REQUIRES_OK(ctx, ctx->allocate_output(i, expected, &after[i]));
    }
    Tensor* saved = nullptr;
    OP_REQUIRES_OK(ctx, ctx->allocate_output(kStateFields, SavedShape(inputs.problem), &saved));
    if (saved->NumElements() > 0) OP_REQUIRES_OK(ctx, Pool(ctx, inputs, saved));
    const auto before_at = [ctx](int i) { return &ctx->input(i); };
    const auto after_at = [&after](int i) { return after[i]; };
    const auto update = [&](int64_t begin, int64_t end) {
      if (inputs.problem.dtype == core::DType::kFloat64) {
        Update<double>(inputs, *saved, before_at, after_at, begin, end);
      } else {
        Update<float>(inputs, *saved, before_at, after_at, begin, end);
      }
    };
    const auto* const workers = ctx->device()->tensorflow_cpu_worker_threads();
    tensorflow::Shard(workers->num_threads, workers->workers, shape.batch,
                      kCyclesOfChannel * shape.channels, update);
  }

 private:
  // What the kernels save of the piece.
  static absl::Status Pool(OpKernelContext* ctx, const PoolingInputs& inputs, Tensor* saved) {
    const cpu::Plan plan = cpu::MakePlan(inputs.problem);
    Tensor holder, y;
    void* workspace;
    TF_RETURN_IF_ERROR(AllocateWorkspace(ctx, plan.workspace_bytes, &holder, &workspace));
    TF_RETURN_IF_ERROR(ctx->allocate_temp(saved->dtype(), OutputShape(inputs.problem), &y));
    PoolThreads threads(ctx);
    core::ForwardBuffers buffers = {};
    buffers.y = y.data();
    buffers.saved = saved->data();
    buffers.x = inputs.x->data();
    buffers.mask = DataOrNull<bool>(inputs.mask);
    buffers.lengths = DataOrNull<int64_t>(inputs.lengths);
    buffers.workspace = workspace;
    cpu::GlobalStats(inputs.problem, plan, buffers, cpu::BestInstructionSet(), &threads);
    return absl::OkStatus();
  }

  PoolingNode node_;
};

REGISTER_KERNEL_BUILDER(Name("Statpool>StreamingUpdate").Device(tensorflow::DEVICE_CPU),
                        StreamingUpdateOp);

}  // namespace
}  // namespace tf
}  // namespace statpool
