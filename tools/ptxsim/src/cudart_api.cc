// CUDA runtime: registration of kernels, launches, errors, and the exported ptxsim_ functions.
#include "cudart_api.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ptx_parser.h"
#include "ptxsim.h"
#include "stats.h"

namespace ptxsim {
namespace {

constexpr int kExitOnFault = 97;
constexpr int kDefaultDynamicSmem = 48 * 1024;
constexpr uint32_t kMaxBlockThreads = 1024, kMaxGridYZ = 65535, kMaxBlockZ = 64;

struct Binary {
  std::string text;
  std::unique_ptr<Module> module;
};
struct HostFunction {
  int binary = 0;
  std::string name;
  const Function* kernel = nullptr;
  int dynamic_smem_limit = -1;  // -1: not set
};
struct HostVariable {
  int binary = 0;
  std::string name;
  size_t size = 0;
};
struct LaunchConfig {
  dim3 grid, block;
  size_t smem;
  cudaStream_t stream;
};

std::vector<std::unique_ptr<Binary>> g_binaries;
std::map<const void*, HostFunction> g_functions;
std::map<const void*, HostVariable> g_variables;
std::string g_last_fault;
thread_local cudaError_t g_last_error = cudaSuccess;
thread_local std::vector<LaunchConfig> g_configs;  // between <<< >>> and the stub's launch

std::string ReadFile(const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file) Fatal("cannot open PTXSIM_PTX=%s", path);
  std::string text;
  char buffer[65536];
  size_t n;
  while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) text.append(buffer, n);
  fclose(file);
  return text;
}

// Parsed at the first use: a binary may hold many kernels that nobody calls.
Module* ModuleOf(int index) {
  Binary& binary = *g_binaries[index];
  if (binary.module) return binary.module.get();
  if (const char* path = std::getenv("PTXSIM_PTX")) binary.text = ReadFile(path);
  if (binary.text.empty()) {
    Fatal(
        "no plain PTX in this binary: build with -gencode arch=compute_XX,code=compute_XX "
        "-no-compress (or set PTXSIM_PTX)");
  }
  std::unique_ptr<Module> module(new Module);
  ParsePtx(binary.text, module.get());
  if (CurrentOptions().verbose) {
    for (const auto& f : module->functions) {
      fprintf(stderr, "ptxsim: %s %s: %zu instructions, %d shared bytes\n",
              f->is_kernel ? "kernel" : "function", f->name.c_str(), f->code.size(),
              f->shared_used);
    }
  }
  binary.module = std::move(module);
  return binary.module.get();
}

uint64_t VariableAddress(const void* host_variable) {
  auto it = g_variables.find(host_variable);
  return it == g_variables.end() ? 0 : ModuleOf(it->second.binary)->globals[it->second.name];
}

// The PTX of the highest architecture in a fat binary, or of PTXSIM_ARCH.
std::string FindPtx(const char* fatbin) {
  auto read = [](const char* p, auto* value) { std::memcpy(value, p, sizeof *value); };
  uint16_t header_size;
  uint64_t total;
  read(fatbin + 6, &header_size);
  read(fatbin + 8, &total);
  const char* wanted = std::getenv("PTXSIM_ARCH");
  constexpr uint16_t kKindPtx = 1;
  std::string best;
  int64_t best_arch = -1;
  const char* entry = fatbin + header_size;
  const char* end = entry + total;
  while (entry < end) {
    uint16_t kind;
    uint32_t entry_header, arch;
    uint64_t payload;
    read(entry, &kind);
    read(entry + 4, &entry_header);
    read(entry + 8, &payload);
    read(entry + 28, &arch);
    const char* data = entry + entry_header;
    if (kind == kKindPtx) {
      std::string text(data, strnlen(data, payload));
      int64_t rank = wanted && std::atoi(wanted) == static_cast<int>(arch) ? 1 << 20 : arch;
      if (text.find(".version") != std::string::npos && rank > best_arch) {
        best = text;
        best_arch = rank;
      }
    }
    entry = data + payload;
  }
  return best;
}

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

const Function* KernelOf(const void* host_function, Module** module) {
  auto it = g_functions.find(host_function);
  if (it == g_functions.end()) return nullptr;
  HostFunction& f = it->second;
  *module = ModuleOf(f.binary);
  if (!f.kernel) {
    auto index = (*module)->function_index.find(f.name);
    if (index == (*module)->function_index.end()) {
      Fatal("kernel %s is not in the PTX", f.name.c_str());
    }
    f.kernel = (*module)->functions[index->second].get();
  }
  return f.kernel;
}

int DynamicSmemLimit(const void* host_function, const Function& kernel) {
  int set = g_functions[host_function].dynamic_smem_limit;
  return set >= 0 ? set : kDefaultDynamicSmem - kernel.shared_used;
}

void SetDynamicSmemLimit(const void* host_function, int bytes) {
  g_functions[host_function].dynamic_smem_limit = bytes;
}

extern "C" {

void** __cudaRegisterFatBinary(void* wrapper) {
  struct Wrapper {
    int magic, version;
    const char* data;
  };
  std::unique_ptr<Binary> binary(new Binary);
  binary->text = FindPtx(static_cast<Wrapper*>(wrapper)->data);
  std::lock_guard<std::recursive_mutex> lock(ApiMutex());
  g_binaries.push_back(std::move(binary));
  return reinterpret_cast<void**>(g_binaries.size());  // a handle: index plus one
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }

void __cudaRegisterFunction(void** binary, const char* host_function, char*, const char* name, int,
                            uint3*, uint3*, dim3*, dim3*, int*) {
  HostFunction f;
  f.binary = static_cast<int>(reinterpret_cast<size_t>(binary)) - 1;
  f.name = name;
  g_functions[host_function] = f;
}

void __cudaRegisterVar(void** binary, char* host_variable, char*, const char* name, int,
                       size_t size, int, int) {
  int index = static_cast<int>(reinterpret_cast<size_t>(binary)) - 1;
  g_variables[host_variable] = {index, name, size};
}

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

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t n, size_t offset,
                               cudaMemcpyKind kind) {
  return Guarded([&] {
    uint64_t address = VariableAddress(symbol);
    if (!address) return cudaErrorInvalidSymbol;
    return cudaMemcpy(reinterpret_cast<void*>(address + offset), from, n, kind);
  });
}
cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, size_t n, size_t offset,
                                    cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpyToSymbol(symbol, from, n, offset, kind);
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, size_t n, size_t offset,
                                 cudaMemcpyKind kind) {
  return Guarded([&] {
    uint64_t address = VariableAddress(symbol);
    if (!address) return cudaErrorInvalidSymbol;
    return cudaMemcpy(to, reinterpret_cast<void*>(address + offset), n, kind);
  });
}
cudaError_t cudaGetSymbolAddress(void** p, const void* symbol) {
  return Guarded([&] {
    *p = reinterpret_cast<void*>(VariableAddress(symbol));
    return *p ? cudaSuccess : cudaErrorInvalidSymbol;
  });
}
cudaError_t cudaGetSymbolSize(size_t* n, const void* symbol) {
  return Guarded([&] {
    *n = g_variables[symbol].size;
    return cudaSuccess;
  });
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
