// statpool._core: the CPU kernels on NumPy arrays, and what this build is. Knows no TensorFlow.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <unistd.h>

#include <utility>

#include "cc/core/rules.h"
#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/pybind/array_arguments.h"
#include "cc/pybind/own_threads.h"
#include "cc/pybind/plans.h"

namespace statpool {
namespace pybind {
namespace {

namespace py = pybind11;

using Name = std::optional<std::string>;

// Other Python threads run while this object lives.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

  // Python up to 3.13 ends a daemon thread that wants the lock back while the process exits: it
  // unwinds the stack, whose destructors would need that lock. The thread waits for the end of the
  // process instead, as Python's own do from 3.14 on.
  ~ReleasedGil() {
    try {
      PyEval_RestoreThread(state_);
    } catch (...) {
      for (;;) pause();
    }
  }

 private:
  PyThreadState* state_;
};

// The problem with the dtype of this array for results, or their gradient.
core::Problem WithOutput(const py::array& array, const Pooling& pooling) {
  core::Problem problem = pooling.problem;
  problem.out_dtype = DTypeOf(array);
  if (!core::CanHoldResults(problem.out_dtype, problem.dtype)) {
    throw py::value_error("y must have the dtype of x, or float32 for a 16-bit x");
  }
  return problem;
}

void CheckSaved(const py::array& saved, const Pooling& pooling) {
  const bool is_double = pooling.problem.dtype == core::DType::kFloat64;
  if (DTypeOf(saved) != (is_double ? core::DType::kFloat64 : core::DType::kFloat32)) {
    throw py::value_error("saved must be float32, or float64 for float64 x");
  }
  CheckArray("saved", saved, pooling.saved_shape);
}

void GlobalStats(py::array y, py::array saved, const PoolingArguments& arguments,
                 const Name& instruction_set, int64_t num_threads) {
  const Pooling pooling(arguments);
  const core::Problem problem = WithOutput(y, pooling);
  CheckArray("y", y, pooling.y_shape);
  CheckSaved(saved, pooling);
  const cpu::InstructionSet& set = InstructionSetOf(instruction_set);
  core::ForwardBuffers buffers = {};
  buffers.y = y.mutable_data();
  buffers.saved = saved.mutable_data();
  buffers.x = pooling.x;
  buffers.mask = pooling.mask;
  buffers.lengths = pooling.lengths;
  const ReleasedGil released;
  const cpu::Plan plan = cpu::MakePlan(problem);
  std::vector<char> workspace(plan.workspace_bytes);
  buffers.workspace = workspace.data();
  OwnThreads threads(num_threads);
  cpu::GlobalStats(problem, plan, buffers, set, &threads);
}

void GlobalStatsGradient(py::array dx, const py::array& upstream, const py::array& saved,
                         const PoolingArguments& arguments, const Name& instruction_set,
                         int64_t num_threads) {
  const Pooling pooling(arguments);
  const core::Problem problem = WithOutput(upstream, pooling);
  CheckArray("upstream", upstream, pooling.y_shape);
  CheckSaved(saved, pooling);
  CheckArray("dx", dx, {arguments.x.shape(), arguments.x.shape() + 3});
  if (DTypeOf(dx) != problem.dtype) throw py::value_error("dx must have the dtype of x");
  const cpu::InstructionSet& set = InstructionSetOf(instruction_set);
  core::GradientBuffers buffers = {};
  buffers.dx = dx.mutable_data();
  buffers.upstream = upstream.data();
  buffers.x = pooling.x;
  buffers.saved = saved.data();
  buffers.mask = pooling.mask;
  buffers.lengths = pooling.lengths;
  const ReleasedGil released;
  OwnThreads threads(num_threads);
  cpu::GlobalStatsGradient(problem, cpu::MakePlan(problem), buffers, set, &threads);
}

py::dict BuildInfo() {
  py::dict info;
  py::list compiled;
  for (const cpu::InstructionSet& set : cpu::CompiledInstructionSets()) compiled.append(set.name);
  info["statpool"] = STATPOOL_VERSION;
  info["compiler"] = STATPOOL_COMPILER;
  const std::string cuda = STATPOOL_CUDA_VERSION;
  info["cuda"] = cuda.empty() ? py::object(py::none()) : py::str(cuda);
  info["cuda_archs"] = py::str(STATPOOL_CUDA_CODE).attr("split")();
  info["instruction_sets"] = compiled;
  info["instruction_set"] = cpu::BestInstructionSet().name;
  return info;
}

std::vector<std::string> InstructionSets() {
  std::vector<std::string> names;
  for (const cpu::InstructionSet& set : cpu::CompiledInstructionSets()) {
    if (set.is_supported()) names.push_back(set.name);
  }
  return names;
}

std::vector<std::string> Statistics() {
  std::vector<std::string> names;
  for (const core::StatisticRow& row : core::kStatistics) names.push_back(row.name);
  return names;
}

int SavedPlaneCount(const std::vector<std::string>& names) {
  core::StatisticList statistics;
  const std::string broken_rule = core::ParseStatistics(names, &statistics);
  if (!broken_rule.empty()) throw py::value_error(broken_rule);
  return core::SavedFieldsOf(statistics).size;
}

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of statpool on NumPy arrays.";
  py::class_<PoolingArguments>(m, "PoolingArguments")
      .def(py::init([](py::array x, std::optional<py::array> mask, std::optional<py::array> lengths,
                       std::vector<std::string> statistics, double epsilon, std::string data_format,
                       std::string input_activation, double negative_slope) {
             return PoolingArguments{std::move(x),
                                     std::move(mask),
                                     std::move(lengths),
                                     std::move(statistics),
                                     epsilon,
                                     std::move(data_format),
                                     std::move(input_activation),
                                     negative_slope};
           }),
           py::arg("x"), py::arg("mask"), py::arg("lengths"), py::arg("statistics"),
           py::arg("epsilon"), py::arg("data_format"), py::arg("input_activation"),
           py::arg("negative_slope"));
  m.def("global_stats", &GlobalStats, py::arg("y"), py::arg("saved"), py::arg("arguments"),
        py::arg("instruction_set"), py::arg("num_threads"));
  m.def("global_stats_gradient", &GlobalStatsGradient, py::arg("dx"), py::arg("upstream"),
        py::arg("saved"), py::arg("arguments"), py::arg("instruction_set"), py::arg("num_threads"));
  DefinePlans(&m);
  m.def("build_info", &BuildInfo);
  m.def("instruction_sets", &InstructionSets);
  m.def("statistics", &Statistics);
  m.def("saved_plane_count", &SavedPlaneCount, py::arg("statistics"));
}

}  // namespace
}  // namespace pybind
}  // namespace statpool
