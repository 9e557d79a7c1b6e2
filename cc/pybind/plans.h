// The plans of the CPU's and of CUDA's kernels as Python dicts. Needs no CUDA.
#ifndef STATPOOL_PYBIND_PLANS_H_
#define STATPOOL_PYBIND_PLANS_H_

#include <pybind11/pybind11.h>

namespace statpool {
namespace pybind {

void DefinePlans(pybind11::module_* m);

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_PLANS_H_
