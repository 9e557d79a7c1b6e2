// CUDA runtime: the binaries of the program, with the kernels and variables that they register.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cudart_api.h"
#include "ptx_parser.h"

namespace ptxsim {
namespace {

constexpr int kDefaultDynamicSmem = 48 * 1024;

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

std::vector<std::unique_ptr<Binary>> g_binaries;
std::map<const void*, HostFunction> g_functions;
std::map<const void*, HostVariable> g_variables;

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

}  // namespace

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

}  // extern "C"
}  // namespace ptxsim
