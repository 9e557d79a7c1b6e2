// CUDA runtime: the modelled device, and what of it a kernel takes.
#include <algorithm>
#include <cstring>

#include "cudart_api.h"

namespace ptxsim {
namespace {

constexpr int kMaxThreadsPerBlock = 1024, kMaxThreadsPerSm = 2048, kMaxBlocksPerSm = 32;
constexpr int kDefaultSmemPerBlock = 48 * 1024, kReservedSmemPerBlock = 1024;
constexpr int kRegistersPerSm = 65536, kL2Bytes = 50 << 20;

int Major() { return CurrentOptions().compute_capability / 10; }
int Minor() { return CurrentOptions().compute_capability % 10; }

}  // namespace

int BlocksPerSm(const Function& kernel, int threads, size_t dynamic_smem) {
  int rounded = (threads + kWarpSize - 1) / kWarpSize * kWarpSize;
  size_t smem = kernel.shared_used + dynamic_smem;
  if (threads <= 0 || rounded > kMaxThreadsPerBlock) return 0;
  if (smem > static_cast<size_t>(CurrentOptions().smem_per_block_optin)) return 0;
  int by_threads = kMaxThreadsPerSm / rounded;
  int by_smem = CurrentOptions().smem_per_sm / (smem + kReservedSmemPerBlock);
  return std::min({kMaxBlocksPerSm, by_threads, by_smem});
}

extern "C" {

// --- device ---

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return SetError(device ? cudaErrorInvalidDevice : cudaSuccess);
}
cudaError_t cudaGetDeviceCount(int* n) {
  *n = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceReset() { return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      *value = kMaxThreadsPerBlock;
      break;
    case cudaDevAttrMaxBlockDimZ:
      *value = 64;
      break;
    case cudaDevAttrMaxGridDimX:
      *value = 0x7fffffff;
      break;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      *value = 65535;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = kDefaultSmemPerBlock;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = CurrentOptions().smem_per_block_optin;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = CurrentOptions().smem_per_sm;
      break;
    case cudaDevAttrReservedSharedMemoryPerBlock:
      *value = kReservedSmemPerBlock;
      break;
    case cudaDevAttrWarpSize:
      *value = kWarpSize;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = CurrentOptions().sm_count;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = kMaxThreadsPerSm;
      break;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      *value = kMaxBlocksPerSm;
      break;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      *value = kRegistersPerSm;
      break;
    case cudaDevAttrL2CacheSize:
      *value = kL2Bytes;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = Major();
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = Minor();
      break;
    case cudaDevAttrCooperativeLaunch:
    case cudaDevAttrUnifiedAddressing:
      *value = 1;
      break;
    default:
      *value = 0;
      break;
  }
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  std::memset(p, 0, sizeof *p);
  strcpy(p->name, "ptxsim");
  p->totalGlobalMem = kTotalMemory;
  p->sharedMemPerBlock = kDefaultSmemPerBlock;
  p->sharedMemPerBlockOptin = CurrentOptions().smem_per_block_optin;
  p->sharedMemPerMultiprocessor = CurrentOptions().smem_per_sm;
  p->reservedSharedMemPerBlock = kReservedSmemPerBlock;
  p->regsPerBlock = p->regsPerMultiprocessor = kRegistersPerSm;
  p->warpSize = kWarpSize;
  p->maxThreadsPerBlock = kMaxThreadsPerBlock;
  p->maxThreadsDim[0] = p->maxThreadsDim[1] = kMaxThreadsPerBlock;
  p->maxThreadsDim[2] = 64;
  p->maxGridSize[0] = 0x7fffffff;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  p->major = Major();
  p->minor = Minor();
  p->multiProcessorCount = CurrentOptions().sm_count;
  p->maxThreadsPerMultiProcessor = kMaxThreadsPerSm;
  p->maxBlocksPerMultiProcessor = kMaxBlocksPerSm;
  p->l2CacheSize = kL2Bytes;
  p->cooperativeLaunch = p->unifiedAddressing = 1;
  return cudaSuccess;
}

// --- functions ---

cudaError_t cudaFuncSetAttribute(const void* f, cudaFuncAttribute attribute, int value) {
  return Guarded([&] {
    Module* module;
    const Function* kernel = KernelOf(f, &module);
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    int most = CurrentOptions().smem_per_block_optin - kernel->shared_used;
    if (value < 0 || value > most) return cudaErrorInvalidValue;
    SetDynamicSmemLimit(f, value);
    return cudaSuccess;
  });
}
cudaError_t cudaFuncSetCacheConfig(const void*, cudaFuncCache) { return cudaSuccess; }
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void* f) {
  return Guarded([&] {
    std::memset(a, 0, sizeof *a);
    Module* module;
    const Function* kernel = KernelOf(f, &module);
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    a->sharedSizeBytes = kernel->shared_used;
    a->localSizeBytes = kernel->local_size;
    a->maxThreadsPerBlock = kernel->max_threads ? kernel->max_threads : kMaxThreadsPerBlock;
    a->numRegs = 32;  // not known without ptxas
    // Of the PTX in use, not of the device: libraries pick the launch that fits the code by it.
    a->ptxVersion = a->binaryVersion = module->target;
    a->maxDynamicSharedSizeBytes = DynamicSmemLimit(f, *kernel);
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* n, const void* f, int threads,
                                                          size_t smem) {
  return Guarded([&] {
    Module* module;
    const Function* kernel = KernelOf(f, &module);
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    *n = BlocksPerSm(*kernel, threads, smem);
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* n, const void* f,
                                                                   int threads, size_t smem,
                                                                   unsigned) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessor(n, f, threads, smem);
}

}  // extern "C"
}  // namespace ptxsim
