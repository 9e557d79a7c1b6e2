// The search of the cheapest plan.
#ifndef STATPOOL_CUDA_PLAN_SEARCH_H_
#define STATPOOL_CUDA_PLAN_SEARCH_H_

#include <cstdint>

#include "cc/core/problem.h"
#include "cuda/launch_plan.h"
#include "cuda/plan/pass.h"

namespace statpool {
namespace cuda {

// All of a plan but `shared_bytes`, `bytes_read` and `bytes_written`, which depend on the
// statistics.
LaunchPlan CheapestPlan(const core::Problem& problem, int64_t alignment, const Pass& pass);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_PLAN_SEARCH_H_
