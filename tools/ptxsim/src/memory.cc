// The allocations by address, live and lately freed ones.
#include "memory.h"

#include <cstdlib>
#include <cstring>

namespace ptxsim {
namespace {

// Freed blocks up to this size stay mapped and are remembered as freed, so that a later use is
// named as such; larger ones go back to the system.
constexpr size_t kKeepFreedBytes = 1 << 20;

// Keeps neighbours apart: a small overrun never lands in another allocation.
constexpr size_t kSlackBytes = 256;

std::map<uint64_t, Allocation> g_allocations;
Allocation* g_last_found = nullptr;  // most accesses hit the same allocation as the one before
uint64_t g_next_order = 0;

// The allocation that starts last at or before the address.
std::map<uint64_t, Allocation>::iterator AtOrBefore(uint64_t address) {
  auto it = g_allocations.upper_bound(address);
  return it == g_allocations.begin() ? g_allocations.end() : --it;
}

}  // namespace

std::map<uint64_t, Allocation>& AllAllocations() { return g_allocations; }

void* AllocateGlobal(size_t bytes, const std::string& name) {
  char* p = static_cast<char*>(aligned_alloc(256, (bytes + 2 * kSlackBytes + 255) / 256 * 256));
  if (!p) return nullptr;
  std::memset(p, 0xFF, bytes + kSlackBytes);
  g_last_found = nullptr;
  Allocation& a = g_allocations[reinterpret_cast<uint64_t>(p)];
  a = Allocation();
  a.base = reinterpret_cast<uint64_t>(p);
  a.size = bytes;
  a.name = name;
  a.order = g_next_order++;
  return p;
}

bool FreeGlobal(void* pointer) {
  auto it = g_allocations.find(reinterpret_cast<uint64_t>(pointer));
  if (it == g_allocations.end() || it->second.freed || it->second.registered) return false;
  it->second.freed = true;
  it->second.counts.reset();
  g_last_found = nullptr;
  if (it->second.size > kKeepFreedBytes) {
    free(pointer);
    g_allocations.erase(it);
  }
  return true;
}

void RegisterHost(const void* pointer, size_t bytes, const std::string& name) {
  uint64_t base = reinterpret_cast<uint64_t>(pointer);
  g_last_found = nullptr;
  for (auto it = AtOrBefore(base + bytes); it != g_allocations.end();) {
    const Allocation& a = it->second;
    if (a.base + a.size <= base) break;
    bool overlaps = a.registered && a.base < base + bytes;
    bool first = it == g_allocations.begin();
    auto previous = first ? g_allocations.end() : std::prev(it);
    if (overlaps) g_allocations.erase(it);
    it = previous;
  }
  Allocation& a = g_allocations[base];
  a = Allocation();
  a.base = base;
  a.size = bytes;
  a.name = name;
  a.order = g_next_order++;
  a.registered = true;
}

bool UnregisterHost(const void* pointer) {
  auto it = g_allocations.find(reinterpret_cast<uint64_t>(pointer));
  if (it == g_allocations.end() || !it->second.registered) return false;
  g_last_found = nullptr;
  g_allocations.erase(it);
  return true;
}

Allocation* FindAllocation(uint64_t address, size_t bytes) {
  if (g_last_found && address >= g_last_found->base &&
      address + bytes <= g_last_found->base + g_last_found->size) {
    return g_last_found;
  }
  auto it = AtOrBefore(address);
  if (it == g_allocations.end()) return nullptr;
  Allocation& a = it->second;
  if (a.freed || address + bytes > a.base + a.size) return nullptr;
  return g_last_found = &a;
}

bool NearAllocation(uint64_t address) {
  auto it = AtOrBefore(address);
  if (it == g_allocations.end()) return false;
  const Allocation& a = it->second;
  return address < a.base + a.size + (a.registered ? 0 : kSlackBytes);
}

std::string DescribeNearest(uint64_t address) {
  auto it = AtOrBefore(address);
  if (it == g_allocations.end()) return "before every allocation";
  const Allocation& a = it->second;
  return Format("%lld bytes into the %zu-byte allocation '%s'%s",
                static_cast<long long>(address - a.base), a.size, a.name.c_str(),
                a.freed ? " (freed)" : "");
}

void CheckHostRange(const void* pointer, size_t bytes, const char* what) {
  uint64_t address = reinterpret_cast<uint64_t>(pointer);
  auto it = AtOrBefore(address);
  if (it == g_allocations.end()) return;
  const Allocation& a = it->second;
  uint64_t end = a.base + a.size;
  if (address < end && (address + bytes > end || a.freed)) {
    Fatal("%s of %zu bytes leaves its allocation: %s", what, bytes,
          DescribeNearest(address).c_str());
  }
}

}  // namespace ptxsim
