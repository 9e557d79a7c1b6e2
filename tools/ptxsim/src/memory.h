// Every piece of global memory the program may touch: cudaMalloc, __device__ variables, pinned host
// memory. A device pointer is a host pointer, so copies are plain memmove.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_MEMORY_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_MEMORY_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base.h"

namespace ptxsim {

enum class Access : uint8_t { kLoad, kStore, kAtomic };

// How often each byte was touched in the current launch; only kept with statistics on.
struct ByteCounts {
  std::vector<uint32_t> loads, stores, atomics;
};

struct Allocation {
  uint64_t base = 0;
  size_t size = 0;
  std::string name;
  uint64_t order = 0;  // 0 for the first allocation of the process
  bool freed = false;
  bool registered = false;  // host memory, lent by ptxsim_register()
  std::unique_ptr<ByteCounts> counts;
};

// Fresh memory is 0xFF bytes: NaN in every float format.
void* AllocateGlobal(size_t bytes, const std::string& name);
bool FreeGlobal(void* pointer);

// Host memory that kernels may touch as if it were allocated here. Replaces earlier registrations
// that overlap it; the owner keeps the memory.
void RegisterHost(const void* pointer, size_t bytes, const std::string& name);
bool UnregisterHost(const void* pointer);

// The live allocation that holds the whole range, or null.
Allocation* FindAllocation(uint64_t address, size_t bytes);
std::map<uint64_t, Allocation>& AllAllocations();

// Whether the address lies in an allocation, live or freed, or in the slack right after it.
bool NearAllocation(uint64_t address);

// "12 bytes into the 400-byte allocation 'cudaMalloc #3' (freed)"
std::string DescribeNearest(uint64_t address);

// Faults if a host call starts inside an allocation and leaves it, or uses freed memory.
void CheckHostRange(const void* pointer, size_t bytes, const char* what);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_MEMORY_H_
