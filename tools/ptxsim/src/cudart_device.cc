// CUDA runtime: the modelled device, memory, streams and events.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "cudart_api.h"

namespace ptxsim {
namespace {

constexpr int kMaxThreadsPerBlock = 1024, kMaxThreadsPerSm = 2048, kMaxBlocksPerSm = 32;
constexpr int kDefaultSmemPerBlock = 48 * 1024, kReservedSmemPerBlock = 1024;
constexpr int kRegistersPerSm = 65536, kL2Bytes = 50 << 20;
constexpr size_t kTotalMemory = 8ull << 30;

int Major() { return CurrentOptions().compute_capability / 10; }
int Minor() { return CurrentOptions().compute_capability % 10; }

using Clock = std::chrono::steady_clock;

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

// --- memory: everything is done when the call returns, in every stream ---

cudaError_t cudaMalloc(void** p, size_t n) {
  return Guarded([&] {
    static int count = 0;
    *p = n ? AllocateGlobal(n, "cudaMalloc #" + std::to_string(++count)) : nullptr;
    return n && !*p ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}
cudaError_t cudaMallocAsync(void** p, size_t n, cudaStream_t) { return cudaMalloc(p, n); }
cudaError_t cudaMallocManaged(void** p, size_t n, unsigned) { return cudaMalloc(p, n); }
cudaError_t cudaMallocHost(void** p, size_t n) { return cudaMalloc(p, n); }
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) { return cudaMalloc(p, n); }
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  *device = host;
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  return Guarded([&] { return !p || FreeGlobal(p) ? cudaSuccess : cudaErrorInvalidValue; });
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t) { return cudaFree(p); }
cudaError_t cudaFreeHost(void* p) { return cudaFree(p); }

cudaError_t cudaMemcpy(void* to, const void* from, size_t n, cudaMemcpyKind) {
  return Guarded([&] {
    CheckHostRange(to, n, "cudaMemcpy destination");
    CheckHostRange(from, n, "cudaMemcpy source");
    std::memmove(to, from, n);
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind kind,
                            cudaStream_t) {
  return cudaMemcpy(to, from, n, kind);
}
cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                         size_t width, size_t height, cudaMemcpyKind kind) {
  for (size_t i = 0; i < height; ++i) {
    cudaError_t error = cudaMemcpy(static_cast<char*>(to) + i * to_pitch,
                                   static_cast<const char*>(from) + i * from_pitch, width, kind);
    if (error) return error;
  }
  return cudaSuccess;
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch,
                              size_t width, size_t height, cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemset(void* to, int value, size_t n) {
  return Guarded([&] {
    CheckHostRange(to, n, "cudaMemset");
    std::memset(to, value, n);
    return cudaSuccess;
  });
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t n, cudaStream_t) {
  return cudaMemset(to, value, n);
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total) {
  *free_bytes = *total = kTotalMemory;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* a, const void* p) {
  std::memset(a, 0, sizeof *a);
  bool known = FindAllocation(reinterpret_cast<uint64_t>(p), 1);
  a->type = known ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered;
  a->devicePointer = const_cast<void*>(p);
  return cudaSuccess;
}

// --- streams ---

cudaError_t cudaStreamCreate(cudaStream_t* s) {
  *s = static_cast<cudaStream_t>(malloc(8));
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return cudaStreamCreate(s); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned, int) {
  return cudaStreamCreate(s);
}
cudaError_t cudaStreamDestroy(cudaStream_t s) {
  free(s);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaStreamGetDevice(cudaStream_t, int* device) {
  *device = 0;
  return cudaSuccess;
}

// --- events: wall time of the host, no measure of a GPU ---

cudaError_t cudaEventCreate(cudaEvent_t* e) {
  *e = reinterpret_cast<cudaEvent_t>(new Clock::time_point(Clock::now()));
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return cudaEventCreate(e); }
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) {
  *reinterpret_cast<Clock::time_point*>(e) = Clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned) {
  return cudaEventRecord(e, s);
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete reinterpret_cast<Clock::time_point*>(e);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t begin, cudaEvent_t end) {
  auto elapsed =
      *reinterpret_cast<Clock::time_point*>(end) - *reinterpret_cast<Clock::time_point*>(begin);
  *ms = std::chrono::duration<float, std::milli>(elapsed).count();
  return cudaSuccess;
}

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
