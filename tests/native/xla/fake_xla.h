// As much of XLA as calling a handler for GPUs takes: the registry, memory, a stream, a call frame.
#ifndef STATPOOL_TESTS_NATIVE_XLA_FAKE_XLA_H_
#define STATPOOL_TESTS_NATIVE_XLA_FAKE_XLA_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "cc/core/problem.h"
#include "cc/xla/ffi_api.h"

#define EXPECT(condition)                                   \
  if (!(condition)) {                                       \
    std::printf("line %d: not %s\n", __LINE__, #condition); \
    std::exit(1);                                           \
  }

struct XLA_FFI_Error {
  std::string message;
};

namespace core = statpool::core;

namespace {

int64_t workspace_bytes = 0;  // that a handler is expected to ask for
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

struct Slot {
  XLA_FFI_DataType dtype;
  std::vector<int64_t>* sizes;
};

// The arguments of one call. Every buffer has an address of its own, never looked into.
struct Frame {
  XLA_FFI_Buffer buffers[8];
  char addresses[8];
  void* pointers[8];
  int used = 0;
  XLA_FFI_ArgType arg_types[8];
  XLA_FFI_RetType ret_types[8];
  double epsilon = 0.25;
  int32_t activation = static_cast<int32_t>(core::Activation::kLeakyRelu);
  double negative_slope = 0.125;
  std::vector<int32_t> statistics = {static_cast<int32_t>(core::Statistic::kStd),
                                     static_cast<int32_t>(core::Statistic::kMean)};

  explicit Frame(std::initializer_list<Slot> slots) {
    for (const Slot& slot : slots) {
      buffers[used] = {XLA_FFI_Buffer_STRUCT_SIZE,
                       nullptr,
                       slot.dtype,
                       &addresses[used],
                       static_cast<int64_t>(slot.sizes->size()),
                       slot.sizes->data()};
      pointers[used] = &buffers[used];
      arg_types[used] = XLA_FFI_ArgType_BUFFER;
      ret_types[used] = XLA_FFI_RetType_BUFFER;
      ++used;
    }
  }

  // The addresses of these buffers, null for -1.
  std::vector<const void*> AddressesOf(std::initializer_list<int> indices) const {
    std::vector<const void*> found;
    for (const int i : indices) found.push_back(i < 0 ? nullptr : &addresses[i]);
    return found;
  }

  // The first `args` buffers are arguments, the others results. Returns the error's message.
  std::string Call(const char* target, int args, core::Layout layout) {
    auto layout_number = static_cast<int32_t>(layout);
    XLA_FFI_Scalar scalars[] = {{XLA_FFI_DataType_S32, &activation},
                                {XLA_FFI_DataType_F64, &epsilon},
                                {XLA_FFI_DataType_S32, &layout_number},
                                {XLA_FFI_DataType_F64, &negative_slope}};
    XLA_FFI_Array array = {XLA_FFI_DataType_S32, statistics.size(), statistics.data()};
    XLA_FFI_ByteSpan names[] = {{"activation", 10},
                                {"epsilon", 7},
                                {"layout", 6},
                                {"negative_slope", 14},
                                {"statistics", 10}};
    XLA_FFI_ByteSpan* name_pointers[] = {&names[0], &names[1], &names[2], &names[3], &names[4]};
    XLA_FFI_AttrType types[] = {XLA_FFI_AttrType_SCALAR, XLA_FFI_AttrType_SCALAR,
                                XLA_FFI_AttrType_SCALAR, XLA_FFI_AttrType_SCALAR,
                                XLA_FFI_AttrType_ARRAY};
    void* values[] = {&scalars[0], &scalars[1], &scalars[2], &scalars[3], &array};

    XLA_FFI_CallFrame frame = {};
    frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
    frame.api = xla::ffi::GetXlaFfiApi();
    frame.stage = XLA_FFI_ExecutionStage_EXECUTE;
    frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr, args, arg_types, pointers};
    frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr, used - args, ret_types, pointers + args};
    frame.attrs = {XLA_FFI_Attrs_STRUCT_SIZE, nullptr, 5, types, name_pointers, values};
    EXPECT(handlers.count(target) == 1);
    XLA_FFI_Error* error = handlers[target](&frame);
    EXPECT(live_allocations == 0);  // all given back
    const std::string message = error == nullptr ? "" : error->message;
    delete error;
    return message;
  }
};

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

#endif  // STATPOOL_TESTS_NATIVE_XLA_FAKE_XLA_H_
