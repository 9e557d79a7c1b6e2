// Huge pages for large outputs. A fresh one costs a page fault for every 4 KiB, several times what
// writing it costs; with pages of 2 MiB most of that is gone.
#ifndef STATPOOL_CPU_HUGE_PAGES_H_
#define STATPOOL_CPU_HUGE_PAGES_H_

#include <cstdint>

namespace statpool {
namespace cpu {

// Advises the system to back the whole pages within [data, data + bytes) with huge ones as they are
// first written. Contents stay as they are; where the system doesn't offer it nothing happens.
void AdviseHugePages(void* data, int64_t bytes);

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_HUGE_PAGES_H_
