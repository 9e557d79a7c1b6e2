// CUDA runtime: memory, streams and events.
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "cudart_api.h"

namespace ptxsim {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

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

}  // extern "C"
}  // namespace ptxsim
