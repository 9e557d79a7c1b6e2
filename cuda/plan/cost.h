// The time that a plan takes, as a model estimates it.
#ifndef STATPOOL_CUDA_PLAN_COST_H_
#define STATPOOL_CUDA_PLAN_COST_H_

#include "cuda/launch_plan.h"
#include "cuda/plan/pass.h"

namespace statpool {
namespace cuda {

// Cycles of a multiprocessor from the launch to the last block.
double CostOf(const LaunchPlan& plan, const Pass& pass);

}  // namespace cuda
}  // namespace statpool

#endif  // STATPOOL_CUDA_PLAN_COST_H_
