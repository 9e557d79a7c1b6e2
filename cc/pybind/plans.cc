#include "cc/pybind/plans.h"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "cc/core/rules.h"
#include "cc/cpu/plan.h"
#include "cc/pybind/array_arguments.h"
#include "cuda/launch_plan.h"

namespace statpool {
namespace pybind {
namespace {

namespace py = pybind11;

// What both kinds of plans follow from. `shape` is that of x, checked by the caller.
core::Problem ProblemOf(const std::vector<int64_t>& shape, const std::string& dtype_name,
                        const std::vector<std::string>& statistics,
                        const std::string& data_format) {
  core::Problem problem = {};
  const auto check = [](const std::string& broken_rule) {
    if (!broken_rule.empty()) throw py::value_error(broken_rule);
  };
  check(core::ParseStatistics(statistics, &problem.statistics));
  check(core::ParseLayout(data_format, &problem.layout));
  problem.shape = core::ShapeOf(problem.layout, shape.at(0), shape.at(1), shape.at(2));
  problem.dtype = problem.out_dtype = DTypeOf(dtype_name);
  return problem;
}

py::dict CpuPlan(const std::vector<int64_t>& shape, const std::string& dtype_name,
                 const std::vector<std::string>& statistics, const std::string& data_format) {
  const cpu::Plan plan = cpu::MakePlan(ProblemOf(shape, dtype_name, statistics, data_format));
  py::dict dict;
  dict["layout"] = plan.layout == core::Layout::kChannelsLast ? "channels_last" : "channels_first";
  dict["is_transposed"] = plan.is_transposed;
  dict["channels_per_group"] = plan.channels_per_group;
  dict["examples_per_pack"] = plan.examples_per_pack;
  dict["fold"] = plan.fold;
  dict["channels_per_tile"] = plan.channels_per_tile;
  dict["tiles"] = plan.tiles;
  dict["steps_per_split"] = plan.steps_per_split;
  dict["splits"] = plan.splits;
  dict["units"] = plan.units;
  dict["partial_bytes"] = plan.partial_bytes;
  dict["workspace_bytes"] = plan.workspace_bytes;
  return dict;
}

// What every launch has.
template <typename Plan>
py::dict LaunchOf(const Plan& plan) {
  py::dict dict;
  dict["grid"] = plan.grid;
  dict["blocks"] = plan.blocks;
  dict["block"] = plan.block;
  return dict;
}

py::dict ToDict(const cuda::LaunchPlan& plan) {
  py::dict dict = LaunchOf(plan);
  dict["shared_bytes"] = plan.shared_bytes;
  dict["resident"] = plan.resident;
  dict["threads_x"] = plan.threads_x;
  dict["threads_y"] = plan.threads_y;
  dict["vector_width"] = plan.vector_width;
  dict["group_threads"] = plan.group_threads;
  dict["groups"] = plan.groups;
  dict["slabs"] = plan.slabs;
  dict["width"] = plan.width;
  dict["fold"] = plan.fold;
  dict["rows"] = plan.rows;
  dict["tiles"] = plan.tiles;
  dict["splits"] = plan.splits;
  dict["rows_per_split"] = plan.rows_per_split;
  dict["units"] = plan.units;
  dict["bytes_read"] = plan.bytes_read;
  dict["bytes_written"] = plan.bytes_written;
  return dict;
}

py::dict LaunchPlan(const std::vector<int64_t>& shape, const std::string& dtype_name,
                    const std::vector<std::string>& statistics, const std::string& data_format,
                    int32_t multiprocessors, int32_t architecture, int64_t alignment) {
  const core::Problem problem = ProblemOf(shape, dtype_name, statistics, data_format);
  const cuda::Device device = cuda::DeviceOf(architecture, multiprocessors);
  const cuda::ForwardPlan forward = cuda::MakeForwardPlan(problem, alignment, device);
  py::dict dict;
  dict["forward"] = ToDict(forward.launch);
  dict["join"] = forward.join.grid > 0 ? py::object(LaunchOf(forward.join)) : py::none();
  dict["gradient"] = ToDict(cuda::MakeGradientPlan(problem, alignment, device));
  dict["workspace_bytes"] = forward.workspace_bytes;
  return dict;
}

}  // namespace

void DefinePlans(py::module_* m) {
  m->def("cpu_plan", &CpuPlan, py::arg("shape"), py::arg("dtype"), py::arg("statistics"),
         py::arg("data_format"));
  m->def("launch_plan", &LaunchPlan, py::arg("shape"), py::arg("dtype"), py::arg("statistics"),
         py::arg("data_format"), py::arg("multiprocessors"), py::arg("architecture"),
         py::arg("alignment"));
}

}  // namespace pybind
}  // namespace statpool
