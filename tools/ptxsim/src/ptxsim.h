// What libcudart.so exports besides the CUDA runtime API; meant for ctypes, and named as C is.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_PTXSIM_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_PTXSIM_H_

#include <cstddef>

extern "C" {

void ptxsim_set_stats(int on);    // overrides PTXSIM_STATS
void ptxsim_reset_stats();        // forgets the launches so far, and starts counting
const char* ptxsim_stats_json();  // valid until the next call of it
const char* ptxsim_last_fault();  // "" if there was none
void ptxsim_clear_fault();

// Lends host memory (a NumPy array, a tensor) to kernels as if it came from cudaMalloc, with all
// checks and counts; unregister returns 0, or 1 if the pointer wasn't registered.
void ptxsim_register(const void* pointer, size_t bytes, const char* name);
int ptxsim_unregister(const void* pointer);

const char* ptxsim_version();

}  // extern "C"

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_PTXSIM_H_
