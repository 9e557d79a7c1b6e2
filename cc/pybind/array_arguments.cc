#include "cc/pybind/array_arguments.h"

#include <pybind11/stl.h>

#include "cc/core/rules.h"
#include "cc/core/statistics.h"

namespace statpool {
namespace pybind {

namespace py = pybind11;

namespace {

using Shape = std::vector<py::ssize_t>;

void Check(const std::string& broken_rule) {
  if (!broken_rule.empty()) throw py::value_error(broken_rule);
}

std::string Text(const py::handle& value) { return py::str(value); }

Shape ShapeOf(const py::array& array) { return {array.shape(), array.shape() + array.ndim()}; }

void CheckDType(const char* name, const py::array& array, const char* dtype) {
  const std::string received = Text(array.dtype());
  if (received != dtype) {
    Check(std::string(name) + " must have dtype " + dtype + ", got " + received);
  }
}

}  // namespace

core::DType DTypeOf(const py::array& array) { return DTypeOf(Text(array.dtype())); }

core::DType DTypeOf(const std::string& name) {
  if (name == "float16") return core::DType::kFloat16;
  if (name == "bfloat16") return core::DType::kBFloat16;
  if (name == "float32") return core::DType::kFloat32;
  if (name == "float64") return core::DType::kFloat64;
  throw py::value_error("dtype must be float16, bfloat16, float32 or float64, got " + name);
}

void CheckArray(const char* name, const py::array& array, const Shape& shape) {
  if (ShapeOf(array) != shape) {
    Check(std::string(name) + " must have shape " + Text(py::cast(shape)) + ", got " +
          Text(py::cast(ShapeOf(array))));
  }
  const bool aligned = py::cast<bool>(array.attr("flags")["ALIGNED"]);
  if (!(array.flags() & py::array::c_style) || !aligned) {
    Check(std::string(name) + " must be C-contiguous and aligned; numpy.ascontiguousarray helps");
  }
}

Pooling::Pooling(const PoolingArguments& a) {
  Check(core::ParseStatistics(a.statistics, &problem.statistics));
  Check(core::ParseLayout(a.data_format, &problem.layout));
  Check(core::CheckEpsilon(a.epsilon));
  problem.epsilon = a.epsilon;
  Check(core::ParseActivation(a.input_activation, a.negative_slope, &problem.activation));
  problem.dtype = problem.out_dtype = DTypeOf(a.x);
  const Shape shape = ShapeOf(a.x);
  Check(core::CheckRank(shape.size(), problem.layout, [&] { return Text(py::cast(shape)); }));
  CheckArray("x", a.x, shape);
  problem.shape = core::ShapeOf(problem.layout, shape[0], shape[1], shape[2]);
  x = a.x.data();
  mask = nullptr;
  if (a.mask) {
    CheckDType("mask", *a.mask, "bool");
    CheckArray("mask", *a.mask, {problem.shape.batch, problem.shape.time});
    mask = static_cast<const bool*>(a.mask->data());
  }
  lengths = nullptr;
  if (a.lengths) {
    CheckDType("lengths", *a.lengths, "int64");
    CheckArray("lengths", *a.lengths, {problem.shape.batch});
    lengths = static_cast<const int64_t*>(a.lengths->data());
    Check(core::CheckLengths(lengths, problem.shape));
  }
  const int64_t channels = problem.shape.channels;
  y_shape = {problem.shape.batch, problem.statistics.size * channels};
  saved_shape = {problem.shape.batch, core::SavedFieldsOf(problem.statistics).size, channels};
}

const cpu::InstructionSet& InstructionSetOf(const std::optional<std::string>& name) {
  if (!name) return cpu::BestInstructionSet();
  const cpu::InstructionSet* set = cpu::FindInstructionSet(*name);
  if (set == nullptr) {
    throw py::value_error(
        "instruction_set must be one that this processor supports, see instruction_sets(), got '" +
        *name + "'");
  }
  return *set;
}

}  // namespace pybind
}  // namespace statpool
