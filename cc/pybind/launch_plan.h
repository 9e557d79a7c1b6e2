// The launch plans of the CUDA kernels, as Python objects. Needs no CUDA.
#ifndef STATPOOL_PYBIND_LAUNCH_PLAN_H_
#define STATPOOL_PYBIND_LAUNCH_PLAN_H_

#include <pybind11/pybind11.h>

namespace statpool {
namespace pybind {

void DefineLaunchPlan(pybind11::module_* m);

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_LAUNCH_PLAN_H_
