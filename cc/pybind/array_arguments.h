// NumPy arrays as kernel arguments. Shapes and types are checked here, so that no call from Python,
// however wrong, reads or writes out of bounds.
#ifndef STATPOOL_PYBIND_ARRAY_ARGUMENTS_H_
#define STATPOOL_PYBIND_ARRAY_ARGUMENTS_H_

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "cc/core/problem.h"
#include "cc/cpu/instruction_set.h"

namespace statpool {
namespace pybind {

// The arguments of a call, in the form that Python passes.
struct PoolingArguments {
  pybind11::array x;                       // [B, T, C] or [B, C, T]
  std::optional<pybind11::array> mask;     // [B, T]
  std::optional<pybind11::array> lengths;  // [B], int64
  std::vector<std::string> statistics;
  double epsilon;
  std::string data_format;
  std::string input_activation;
  double negative_slope;
};

// The same, checked. Throws ValueError if a rule is broken.
struct Pooling {
  explicit Pooling(const PoolingArguments& arguments);

  core::Problem problem;  // out_dtype is that of x
  const void* x;
  const bool* mask;
  const int64_t* lengths;
  std::vector<pybind11::ssize_t> y_shape;      // [B, S * C]
  std::vector<pybind11::ssize_t> saved_shape;  // [B, planes, C]
};

core::DType DTypeOf(const pybind11::array& array);
core::DType DTypeOf(const std::string& name);

// Throws ValueError unless the array is C-contiguous, aligned and of that shape.
void CheckArray(const char* name, const pybind11::array& array,
                const std::vector<pybind11::ssize_t>& shape);

// The instruction set of that name, or the best one if there is no name.
const cpu::InstructionSet& InstructionSetOf(const std::optional<std::string>& name);

}  // namespace pybind
}  // namespace statpool

#endif  // STATPOOL_PYBIND_ARRAY_ARGUMENTS_H_
