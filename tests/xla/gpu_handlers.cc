// Calls the handlers for GPUs as XLA would, with launchers that only write down what they are
// given: which buffer, number and stream ends up where. Needs CUDA's header, but no GPU.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "cc/xla/arguments.h"
#include "cuda/global_stats_cuda.h"

#define EXPECT(condition)                                   \
  if (!(condition)) {                                       \
    std::printf("line %d: not %s\n", __LINE__, #condition); \
    std::exit(1);                                           \
  }

struct XLA_FFI_Error {
  std::string message;
};

namespace {

namespace core = statpool::core;
namespace cuda = statpool::cuda;

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
int64_t workspace_bytes = 0;
int64_t planned_alignment = 0;

// What XLA has.
std::map<std::string, XLA_FFI_Handler*> handlers;
int live_allocations = 0;
bool is_out_of_memory = false;
char scratch[64];
const auto kStream = reinterpret_cast<cudaStream_t>(0x5);

XLA_FFI_Error* Register(XLA_FFI_Handler_Register_Args* args) {
  EXPECT(std::string(args->platform.ptr, args->platform.len) == "CUDA");
  handlers[std::string(args->name.ptr, args->name.len)] = args->bundle.execute;
  return nullptr;
}

XLA_FFI_Error* CreateError(XLA_FFI_Error_Create_Args* args) {
  return new XLA_FFI_Error{args->message};
}

void GetMessage(XLA_FFI_Error_GetMessage_Args* args) {
  args->message = args->error->message.c_str();
}

void DestroyError(XLA_FFI_Error_Destroy_Args* args) { delete args->error; }

XLA_FFI_Error* GetStream(XLA_FFI_Stream_Get_Args* args) {
  args->stream = kStream;
  return nullptr;
}

XLA_FFI_Error* Allocate(XLA_FFI_DeviceMemory_Allocate_Args* args) {
  EXPECT(args->alignment <= 16);  // XLA refuses more
  EXPECT(static_cast<int64_t>(args->size) == workspace_bytes);
  if (is_out_of_memory) return new XLA_FFI_Error{"out of memory"};
  ++live_allocations;
  args->data = scratch;
  return nullptr;
}

XLA_FFI_Error* Free(XLA_FFI_DeviceMemory_Free_Args* args) {
  EXPECT(args->data == scratch);
  --live_allocations;
  return nullptr;
}

// The arguments of one call. Every buffer has an address of its own, never looked into.
struct Frame {
  XLA_FFI_Buffer buffers[8];
  char addresses[8];
  void* pointers[8];
  int used = 0;
  XLA_FFI_ArgType arg_types[8];
  XLA_FFI_RetType ret_types[8];
  double epsilon = 0.25;
  std::vector<int32_t> statistics = {static_cast<int32_t>(core::Statistic::kStd),
                                     static_cast<int32_t>(core::Statistic::kMean)};

  int Add(XLA_FFI_DataType dtype, std::vector<int64_t>* sizes) {
    buffers[used] = {XLA_FFI_Buffer_STRUCT_SIZE,          nullptr,      dtype, &addresses[used],
                     static_cast<int64_t>(sizes->size()), sizes->data()};
    pointers[used] = &buffers[used];
    arg_types[used] = XLA_FFI_ArgType_BUFFER;
    ret_types[used] = XLA_FFI_RetType_BUFFER;
    return used++;
  }

  // The first `args` buffers are arguments, the others results. Returns the error's message.
  std::string Call(const char* target, int args, core::Layout layout) {
    auto layout_number = static_cast<int32_t>(layout);
    XLA_FFI_Scalar scalars[] = {{XLA_FFI_DataType_F64, &epsilon},
                                {XLA_FFI_DataType_S32, &layout_number}};
    XLA_FFI_Array array = {XLA_FFI_DataType_S32, statistics.size(), statistics.data()};
    XLA_FFI_ByteSpan names[] = {{"epsilon", 7}, {"layout", 6}, {"statistics", 10}};
    XLA_FFI_ByteSpan* name_pointers[] = {&names[0], &names[1], &names[2]};
    XLA_FFI_AttrType types[] = {XLA_FFI_AttrType_SCALAR, XLA_FFI_AttrType_SCALAR,
                                XLA_FFI_AttrType_ARRAY};
    void* values[] = {&scalars[0], &scalars[1], &array};

    XLA_FFI_CallFrame frame = {};
    frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
    frame.api = xla::ffi::GetXlaFfiApi();
    frame.stage = XLA_FFI_ExecutionStage_EXECUTE;
    frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr, args, arg_types, pointers};
    frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr, used - args, ret_types, pointers + args};
    frame.attrs = {XLA_FFI_Attrs_STRUCT_SIZE, nullptr, 3, types, name_pointers, values};
    EXPECT(handlers.count(target) == 1);
    XLA_FFI_Error* error = handlers[target](&frame);
    EXPECT(live_allocations == 0);  // all given back
    const std::string message = error == nullptr ? "" : error->message;
    delete error;
    return message;
  }
};

void ExpectCommon(core::Layout layout, core::Shape shape) {
  EXPECT(last.stream == kStream);
  EXPECT(last.problem.layout == layout);
  EXPECT(last.problem.epsilon == 0.25);
  EXPECT(last.problem.statistics.size == 2);
  EXPECT(last.problem.statistics.items[0] == core::Statistic::kStd);
  EXPECT(last.problem.statistics.items[1] == core::Statistic::kMean);
  EXPECT(last.problem.shape.batch == shape.batch);
  EXPECT(last.problem.shape.time == shape.time);
  EXPECT(last.problem.shape.channels == shape.channels);
}

std::vector<int64_t> x_sizes = {2, 5, 3}, y_sizes = {2, 6}, saved_sizes = {2, 4, 3},
                     mask_sizes = {2, 5}, lengths_sizes = {2};

void TestForwardWithEverything() {
  x_sizes = {2, 3, 5};  // [B, C, T]
  Frame f;
  const int x = f.Add(XLA_FFI_DataType_F16, &x_sizes);
  const int mask = f.Add(XLA_FFI_DataType_PRED, &mask_sizes);
  const int lengths = f.Add(XLA_FFI_DataType_S64, &lengths_sizes);
  const int y = f.Add(XLA_FFI_DataType_F32, &y_sizes);
  const int saved = f.Add(XLA_FFI_DataType_F32, &saved_sizes);
  workspace_bytes = 48;
  EXPECT(f.Call("statpool.global_stats", 3, core::Layout::kChannelsFirst) == "");
  const std::vector<const void*> expected = {&f.addresses[y], &f.addresses[saved], &f.addresses[x],
                                             &f.addresses[mask], &f.addresses[lengths]};
  EXPECT(last.pointers == expected);
  EXPECT(last.workspace == scratch);
  EXPECT(last.problem.dtype == core::DType::kFloat16);
  EXPECT(last.problem.out_dtype == core::DType::kFloat32);
  ExpectCommon(core::Layout::kChannelsFirst, {2, 5, 3});

  is_out_of_memory = true;
  const std::string message = f.Call("statpool.global_stats", 3, core::Layout::kChannelsFirst);
  EXPECT(message.find("48 bytes") != std::string::npos);
  is_out_of_memory = false;
}

void TestForwardWithLengthsAlone() {
  x_sizes = {2, 5, 3};
  Frame f;
  const int x = f.Add(XLA_FFI_DataType_F64, &x_sizes);
  const int lengths = f.Add(XLA_FFI_DataType_S64, &lengths_sizes);
  const int y = f.Add(XLA_FFI_DataType_F64, &y_sizes);
  const int saved = f.Add(XLA_FFI_DataType_F64, &saved_sizes);
  workspace_bytes = 0;
  EXPECT(f.Call("statpool.global_stats", 2, core::Layout::kChannelsLast) == "");
  const std::vector<const void*> expected = {&f.addresses[y], &f.addresses[saved], &f.addresses[x],
                                             nullptr, &f.addresses[lengths]};
  EXPECT(last.pointers == expected);
  EXPECT(last.workspace == nullptr);
  EXPECT(last.problem.dtype == core::DType::kFloat64);
  ExpectCommon(core::Layout::kChannelsLast, {2, 5, 3});

  launch_result = cudaErrorInvalidValue;
  const std::string message = f.Call("statpool.global_stats", 2, core::Layout::kChannelsLast);
  EXPECT(message.find("a CUDA error in words") != std::string::npos);
  launch_result = cudaSuccess;
}

void TestGradientWithMask() {
  Frame f;
  const int upstream = f.Add(XLA_FFI_DataType_F32, &y_sizes);
  const int x = f.Add(XLA_FFI_DataType_BF16, &x_sizes);
  const int saved = f.Add(XLA_FFI_DataType_F32, &saved_sizes);
  const int mask = f.Add(XLA_FFI_DataType_PRED, &mask_sizes);
  const int dx = f.Add(XLA_FFI_DataType_BF16, &x_sizes);
  EXPECT(f.Call("statpool.global_stats_gradient", 4, core::Layout::kChannelsLast) == "");
  const std::vector<const void*> expected = {&f.addresses[dx],   &f.addresses[upstream],
                                             &f.addresses[x],    &f.addresses[saved],
                                             &f.addresses[mask], nullptr};
  EXPECT(last.pointers == expected);
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
  EXPECT(f->Call(target, args, core::Layout::kChannelsLast) == "");
  EXPECT(launches == 1);
}

void TestChecks() {
  workspace_bytes = 0;
  Frame forward;
  forward.Add(XLA_FFI_DataType_F32, &x_sizes);
  forward.Add(XLA_FFI_DataType_PRED, &mask_sizes);
  forward.Add(XLA_FFI_DataType_S64, &lengths_sizes);
  forward.Add(XLA_FFI_DataType_F32, &y_sizes);
  forward.Add(XLA_FFI_DataType_F32, &saved_sizes);
  ExpectChecks("statpool.global_stats", 3, &forward);
  Frame gradient;
  gradient.Add(XLA_FFI_DataType_F32, &y_sizes);
  gradient.Add(XLA_FFI_DataType_F32, &x_sizes);
  gradient.Add(XLA_FFI_DataType_F32, &saved_sizes);
  gradient.Add(XLA_FFI_DataType_PRED, &mask_sizes);
  gradient.Add(XLA_FFI_DataType_S64, &lengths_sizes);
  gradient.Add(XLA_FFI_DataType_F32, &x_sizes);
  ExpectChecks("statpool.global_stats_gradient", 5, &gradient);
}

}  // namespace

const XLA_FFI_Api* xla::ffi::GetXlaFfiApi() {
  static XLA_FFI_Api api = {};
  api.struct_size = XLA_FFI_Api_STRUCT_SIZE;
  api.XLA_FFI_Error_Create = CreateError;
  api.XLA_FFI_Error_GetMessage = GetMessage;
  api.XLA_FFI_Error_Destroy = DestroyError;
  api.XLA_FFI_Handler_Register = Register;
  api.XLA_FFI_Stream_Get = GetStream;
  api.XLA_FFI_DeviceMemory_Allocate = Allocate;
  api.XLA_FFI_DeviceMemory_Free = Free;
  return &api;
}

extern "C" const char* cudaGetErrorString(cudaError_t) { return "a CUDA error in words"; }

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
