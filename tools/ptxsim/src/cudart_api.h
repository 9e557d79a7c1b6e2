// Shared by the files that implement the CUDA runtime API.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_CUDART_API_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_CUDART_API_H_

#include <cuda_runtime_api.h>

#include <mutex>

#include "machine.h"

namespace ptxsim {

constexpr size_t kTotalMemory = 8ull << 30;

// Sets the error that cudaGetLastError() will return, and returns it. Success sets nothing.
cudaError_t SetError(cudaError_t error);

// The kernel registered under a host function, or null.
const Function* KernelOf(const void* host_function, Module** module);

// Largest dynamic shared memory that the kernel may ask for.
int DynamicSmemLimit(const void* host_function, const Function& kernel);
void SetDynamicSmemLimit(const void* host_function, int bytes);

// Resident blocks of the device model; registers aren't known and don't limit.
int BlocksPerSm(const Function& kernel, int block_threads, size_t dynamic_smem);

std::recursive_mutex& ApiMutex();
void RecordFault(const char* text);  // ends the process unless PTXSIM_ON_FAULT=error

// Runs the body of an entry point: one thread at a time, and no exception leaves the library.
template <typename Body>
cudaError_t Guarded(Body body) {
  std::lock_guard<std::recursive_mutex> lock(ApiMutex());
  try {
    return SetError(body());
  } catch (const std::exception& fault) {
    RecordFault(fault.what());
    return SetError(cudaErrorLaunchFailure);
  }
}

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_CUDART_API_H_
