// CUDA runtime: launches, errors, and the exported ptxsim_ functions.
#include "cudart_api.h"

#include <cstdio>
#include <cstdlib>

#include "ptxsim.h"
#include "stats.h"

namespace ptxsim {
namespace {

constexpr int kExitOnFault = 97;
constexpr uint32_t kMaxBlockThreads = 1024, kMaxGridYZ = 65535, kMaxBlockZ = 64;

struct LaunchConfig {
  dim3 grid, block;
  size_t smem;
  cudaStream_t stream;
};

std::string g_last_fault;
thread_local cudaError_t g_last_error = cudaSuccess;
thread_local std::vector<LaunchConfig> g_configs;  // between <<< >>> and the stub's launch

cudaError_t LaunchKernel(const void* host_function, dim3 grid, dim3 block, void** args, size_t smem,
                         bool cooperative = false) {
  return Guarded([&]() -> cudaError_t {
    ReadOptions();
    Module* module;
    const Function* kernel = KernelOf(host_function, &module);
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
    bool valid = grid.x && grid.y && grid.z && threads && threads <= kMaxBlockThreads &&
                 block.z <= kMaxBlockZ && grid.x <= 0x7fffffffu && grid.y <= kMaxGridYZ &&
                 grid.z <= kMaxGridYZ;
    if (!valid) return cudaErrorInvalidConfiguration;
    if (static_cast<int64_t>(smem) > DynamicSmemLimit(host_function, *kernel)) {
      return cudaErrorInvalidValue;
    }
    uint64_t blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
    uint64_t resident =
        static_cast<uint64_t>(BlocksPerSm(*kernel, threads, smem)) * CurrentOptions().sm_count;
    if (cooperative && blocks > resident) return cudaErrorCooperativeLaunchTooLarge;
    RunKernel(module, kernel, grid, block, smem, args);
    std::string reports;
    if (TakeReports(&reports) && CurrentOptions().faults_are_errors) {
      g_last_fault = reports;
      return cudaErrorLaunchFailure;
    }
    return cudaSuccess;
  });
}

// Launches are finished when they return, so a synchronisation only tells of a fault that nobody
// has fetched with cudaGetLastError() yet.
cudaError_t PendingFault() {
  return g_last_error == cudaErrorLaunchFailure ? g_last_error : cudaSuccess;
}

}  // namespace

std::recursive_mutex& ApiMutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

cudaError_t SetError(cudaError_t error) {
  if (error != cudaSuccess) g_last_error = error;
  return error;
}

void RecordFault(const char* text) {
  g_last_fault = text;
  if (CurrentOptions().faults_are_errors) return;
  fflush(stdout);
  fprintf(stderr, "ptxsim: %s\n", text);
  fflush(stderr);
  if (std::getenv("PTXSIM_ABORT")) abort();
  _Exit(kExitOnFault);
}

extern "C" {

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t smem, cudaStream_t stream) {
  g_configs.push_back({grid, block, smem, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* smem, void* stream) {
  LaunchConfig c = g_configs.back();
  g_configs.pop_back();
  *grid = c.grid;
  *block = c.block;
  *smem = c.smem;
  *static_cast<cudaStream_t*>(stream) = c.stream;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host_function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(host_function));
  return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** args, size_t smem,
                               cudaStream_t) {
  return LaunchKernel(kernel, grid, block, args, smem);
}
cudaError_t cudaLaunchKernel(const void* f, dim3 grid, dim3 block, void** args, size_t smem,
                             cudaStream_t) {
  return LaunchKernel(f, grid, block, args, smem);
}
cudaError_t cudaLaunchCooperativeKernel(const void* f, dim3 grid, dim3 block, void** args,
                                        size_t smem, cudaStream_t) {
  return LaunchKernel(f, grid, block, args, smem, true);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* f, void** args) {
  bool cooperative = false;
  for (unsigned i = 0; i < c->numAttrs; ++i) {
    const cudaLaunchAttribute& a = c->attrs[i];
    if (a.id == cudaLaunchAttributeCooperative) cooperative = a.val.cooperative;
    if (a.id == cudaLaunchAttributeClusterDimension) {
      auto dim = a.val.clusterDim;
      if (dim.x * dim.y * dim.z > 1) return SetError(cudaErrorNotSupported);
    }
  }
  return LaunchKernel(f, c->gridDim, c->blockDim, args, c->dynamicSmemBytes, cooperative);
}

cudaError_t cudaGetLastError() {
  cudaError_t error = g_last_error;
  g_last_error = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return g_last_error; }

cudaError_t cudaDeviceSynchronize() { return PendingFault(); }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return PendingFault(); }
cudaError_t cudaStreamQuery(cudaStream_t) { return PendingFault(); }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return PendingFault(); }
cudaError_t cudaEventQuery(cudaEvent_t) { return PendingFault(); }

#define PTXSIM_ERRORS(X)                                                          \
  X(cudaSuccess, "no error")                                                      \
  X(cudaErrorInvalidValue, "invalid argument")                                    \
  X(cudaErrorMemoryAllocation, "out of memory")                                   \
  X(cudaErrorInvalidConfiguration, "invalid configuration argument")              \
  X(cudaErrorInvalidSymbol, "invalid device symbol")                              \
  X(cudaErrorInvalidDeviceFunction, "invalid device function")                    \
  X(cudaErrorInvalidDevice, "invalid device ordinal")                             \
  X(cudaErrorLaunchFailure, "unspecified launch failure (see ptxsim_last_fault)") \
  X(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch")  \
  X(cudaErrorNotSupported, "operation not supported")

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define X(name, text) \
  case name:          \
    return text;
    PTXSIM_ERRORS(X)
#undef X
    default:
      return "unrecognized error code";
  }
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define X(name, text) \
  case name:          \
    return #name;
    PTXSIM_ERRORS(X)
#undef X
    default:
      return "unrecognized error code";
  }
}

void ptxsim_set_stats(int on) { SetStats(on); }
void ptxsim_reset_stats() {
  ResetStats();
  SetStats(true);
}
const char* ptxsim_stats_json() {
  static std::string text;
  text = StatsJson();
  return text.c_str();
}
const char* ptxsim_last_fault() { return g_last_fault.c_str(); }
void ptxsim_clear_fault() {
  g_last_fault.clear();
  g_last_error = cudaSuccess;
}
void ptxsim_register(const void* pointer, size_t bytes, const char* name) {
  std::lock_guard<std::recursive_mutex> lock(ApiMutex());
  RegisterHost(pointer, bytes, name ? name : "host");
}
int ptxsim_unregister(const void* pointer) {
  std::lock_guard<std::recursive_mutex> lock(ApiMutex());
  return UnregisterHost(pointer) ? 0 : 1;
}
const char* ptxsim_version() { return "1.0"; }

}  // extern "C"
}  // namespace ptxsim
