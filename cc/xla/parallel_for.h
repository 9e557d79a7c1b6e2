// XLA's own threads for the CPU kernels.
#ifndef STATPOOL_XLA_PARALLEL_FOR_H_
#define STATPOOL_XLA_PARALLEL_FOR_H_

#include <utility>

#include "cc/cpu/shared_work.h"
#include "cc/xla/ffi_api.h"

namespace statpool {
namespace xla {

inline cpu::ParallelFor ParallelForOf(::xla::ffi::ThreadPool* pool) {
  return [pool](int64_t units, int64_t cost, const cpu::Work& work) {
    const auto schedule = [pool](std::function<void()> run) { pool->Schedule(std::move(run)); };
    cpu::ShareWork({pool->num_threads(), cpu::kPoolStartNanos, schedule}, units, cost, work);
  };
}

}  // namespace xla
}  // namespace statpool

#endif  // STATPOOL_XLA_PARALLEL_FOR_H_
