// Calls the handlers for GPUs as XLA would, with launchers that only write down what they are
// given: which buffer, number and stream ends up where. Needs CUDA's header, but no GPU.
#include <vector>

#include "cc/xla/arguments.h"
#include "cuda/global_stats_cuda.h"
#include "tests/native/xla/fake_xla.h"

namespace {

namespace cuda = statpool::cuda;

constexpr auto kF16 = XLA_FFI_DataType_F16, kBF16 = XLA_FFI_DataType_BF16,
               kF32 = XLA_FFI_DataType_F32, kF64 = XLA_FFI_DataType_F64;
constexpr char kForward[] = "statpool.global_stats", kGradient[] = "statpool.global_stats_gradient";

// What the launchers were given last, and what they should answer.
struct Launch {
  std::vector<const void*> pointers;  // outputs, inputs, mask, lengths
  core::Problem problem;
  void* workspace;
  cudaStream_t stream;
};
Launch last;
int launches = 0;
cudaError_t launch_result = cudaSuccess;
int64_t planned_alignment = 0;

void ExpectCommon(core::Layout layout, core::Shape shape) {
  EXPECT(last.stream == kStream);
  EXPECT(last.problem.layout == layout);
  EXPECT(last.problem.epsilon == 0.25);
  EXPECT(last.problem.activation.kind == core::Activation::kLeakyRelu);
  EXPECT(last.problem.activation.negative_slope == 0.125);
  EXPECT(last.problem.statistics.size == 2);
  EXPECT(last.problem.statistics.items[0] == core::Statistic::kStd);
  EXPECT(last.problem.statistics.items[1] == core::Statistic::kMean);
  EXPECT(last.problem.shape.batch == shape.batch);
  EXPECT(last.problem.shape.time == shape.time);
  EXPECT(last.problem.shape.channels == shape.channels);
}

std::vector<int64_t> x_sizes = {2, 5, 3}, y_sizes = {2, 6}, saved_sizes = {2, 4, 3},
                     mask_sizes = {2, 5}, lengths_sizes = {2};

Slot X(XLA_FFI_DataType dtype) { return {dtype, &x_sizes}; }
Slot Y(XLA_FFI_DataType dtype) { return {dtype, &y_sizes}; }
Slot Saved(XLA_FFI_DataType dtype) { return {dtype, &saved_sizes}; }
Slot Mask() { return {XLA_FFI_DataType_PRED, &mask_sizes}; }
Slot Lengths() { return {XLA_FFI_DataType_S64, &lengths_sizes}; }

void TestForwardWithEverything() {
  x_sizes = {2, 3, 5};  // [B, C, T]
  Frame f({X(kF16), Mask(), Lengths(), Y(kF32), Saved(kF32)});
  workspace_bytes = 48;
  EXPECT(f.Call(kForward, 3, core::Layout::kChannelsFirst) == "");
  EXPECT(last.pointers == f.AddressesOf({3, 4, 0, 1, 2}));
  EXPECT(last.workspace == scratch);
  EXPECT(last.problem.dtype == core::DType::kFloat16);
  EXPECT(last.problem.out_dtype == core::DType::kFloat32);
  ExpectCommon(core::Layout::kChannelsFirst, {2, 5, 3});

  is_out_of_memory = true;
  const std::string message = f.Call(kForward, 3, core::Layout::kChannelsFirst);
  EXPECT(message.find("48 bytes") != std::string::npos);
  is_out_of_memory = false;
}

void TestForwardWithLengthsAlone() {
  x_sizes = {2, 5, 3};
  Frame f({X(kF64), Lengths(), Y(kF64), Saved(kF64)});
  workspace_bytes = 0;
  EXPECT(f.Call(kForward, 2, core::Layout::kChannelsLast) == "");
  EXPECT(last.pointers == f.AddressesOf({2, 3, 0, -1, 1}));
  EXPECT(last.workspace == nullptr);
  EXPECT(last.problem.dtype == core::DType::kFloat64);
  ExpectCommon(core::Layout::kChannelsLast, {2, 5, 3});

  launch_result = cudaErrorInvalidValue;
  const std::string message = f.Call(kForward, 2, core::Layout::kChannelsLast);
  EXPECT(message.find("a CUDA error in words") != std::string::npos);
  launch_result = cudaSuccess;
}

void TestGradientWithMask() {
  Frame f({Y(kF32), X(kBF16), Saved(kF32), Mask(), X(kBF16)});
  EXPECT(f.Call(kGradient, 4, core::Layout::kChannelsLast) == "");
  EXPECT(last.pointers == f.AddressesOf({4, 0, 1, 2, 3, -1}));
  EXPECT(last.problem.dtype == core::DType::kBFloat16);
  EXPECT(last.problem.out_dtype == core::DType::kFloat32);
  ExpectCommon(core::Layout::kChannelsLast, {2, 5, 3});
}

// Every tensor and attribute is looked at before anything is launched.
void ExpectChecks(const char* target, int args, Frame* f) {
  launches = 0;
  const auto is_refused = [&](const char* rule) {
    const std::string message = f->Call(target, args, core::Layout::kChannelsLast);
    return message.find(rule) != std::string::npos && launches == 0;
  };
  for (int i = 0; i < f->used; ++i) {
    const XLA_FFI_Buffer right = f->buffers[i];
    f->buffers[i].dtype = XLA_FFI_DataType_C64;
    EXPECT(is_refused(" must have "));
    f->buffers[i] = right;
    f->buffers[i].rank = 0;
    EXPECT(is_refused(" must have "));
    f->buffers[i] = right;
  }
  const std::vector<int32_t> right = f->statistics;
  f->statistics.assign(400, 1);
  EXPECT(is_refused("statistics must "));
  f->statistics = right;
  f->epsilon = -1;
  EXPECT(is_refused("epsilon must "));
  f->epsilon = 0.25;
  f->activation = core::kActivationCount;
  EXPECT(is_refused("activation must "));
  f->activation = 0;
  f->negative_slope = 2;
  EXPECT(is_refused("negative_slope must "));
  f->negative_slope = 0.125;
  EXPECT(f->Call(target, args, core::Layout::kChannelsLast) == "");
  EXPECT(launches == 1);
}

void TestChecks() {
  workspace_bytes = 0;
  Frame forward({X(kF32), Mask(), Lengths(), Y(kF32), Saved(kF32)});
  ExpectChecks(kForward, 3, &forward);
  Frame gradient({Y(kF32), X(kF32), Saved(kF32), Mask(), Lengths(), X(kF32)});
  ExpectChecks(kGradient, 5, &gradient);
}

}  // namespace

std::string cuda::DescribeError(cudaError_t) { return "a CUDA error in words"; }

cudaError_t cuda::CurrentDevice(Device* device) {
  *device = {};
  return cudaSuccess;
}

int64_t cuda::AlignmentOf(const core::ForwardBuffers&) { return 4; }
int64_t cuda::AlignmentOf(const core::GradientBuffers&) { return 8; }

cuda::ForwardPlan cuda::MakeForwardPlan(const core::Problem&, int64_t alignment, const Device&) {
  planned_alignment = alignment;
  return {{}, {}, workspace_bytes};
}

cuda::LaunchPlan cuda::MakeGradientPlan(const core::Problem&, int64_t alignment, const Device&) {
  planned_alignment = alignment;
  return {};
}

cudaError_t cuda::LaunchGlobalStats(const core::Problem& problem, const ForwardPlan& plan,
                                    const core::ForwardBuffers& b, cudaStream_t stream) {
  EXPECT(plan.workspace_bytes == workspace_bytes && planned_alignment == 4);
  ++launches;
  last = {{b.y, b.saved, b.x, b.mask, b.lengths}, problem, b.workspace, stream};
  return launch_result;
}

cudaError_t cuda::LaunchGlobalStatsGradient(const core::Problem& problem, const LaunchPlan&,
                                            const core::GradientBuffers& b, cudaStream_t stream) {
  EXPECT(planned_alignment == 8);
  ++launches;
  last = {{b.dx, b.upstream, b.x, b.saved, b.mask, b.lengths}, problem, nullptr, stream};
  return launch_result;
}

// Here, because its registrations need the table above and the map of handlers.
#include "cc/xla/handlers_gpu.cc"

int main() {
  EXPECT(handlers.size() == 2);
  TestForwardWithEverything();
  TestForwardWithLengthsAlone();
  TestGradientWithMask();
  TestChecks();
  return 0;
}
