// Huge pages for large outputs. Fresh memory costs a page fault for every 4 KiB, which takes
// several times as long as writing them; pages of 2 MiB avoid most of that.
#ifndef STATPOOL_CPU_HUGE_PAGES_H_
#define STATPOOL_CPU_HUGE_PAGES_H_

#include <cstdint>

namespace statpool {
namespace cpu {

// Advises the system to use huge pages for what has not been written yet of [data, data + bytes).
// Contents don't change. Does nothing where the system offers no such advice.
void AdviseHugePages(void* data, int64_t bytes);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_HUGE_PAGES_H_
