#include "cc/xla/arguments.h"

#include <algorithm>
#include <initializer_list>
#include <sstream>

#include "cc/core/rules.h"
#include "cc/core/statistics.h"

namespace statpool {
namespace xla {
namespace {

using ffi::AnyBuffer;
using ffi::DataType;

std::string Text(DataType type) {
  std::ostringstream text;
  text << type;
  return text.str();
}

template <typename Sizes>
std::string ShapeText(const Sizes& sizes) {
  std::string text = "[";
  for (const int64_t size : sizes) {
    if (text.size() > 1) text += ',';
    text += std::to_string(size);
  }
  return text + "]";
}

// Like the checks of core, each returns an empty string, or the rule that was broken and what was
// received.
std::string Check(const char* name, DataType type, const char* rule,
                  std::initializer_list<int64_t> shape, const AnyBuffer& received) {
  if (received.element_type() != type) {
    return std::string(name) + " must have type " + Text(type) + ", got " +
           Text(received.element_type());
  }
  const AnyBuffer::Dimensions sizes = received.dimensions();
  if (std::equal(sizes.begin(), sizes.end(), shape.begin(), shape.end())) return "";
  return std::string(name) + " must have shape " + rule + " = " + ShapeText(shape) + ", got " +
         ShapeText(sizes);
}

std::string ParseType(DataType type, core::DType* dtype) {
  switch (type) {
    case ffi::F16:
      *dtype = core::DType::kFloat16;
      return "";
    case ffi::BF16:
      *dtype = core::DType::kBFloat16;
      return "";
    case ffi::F32:
      *dtype = core::DType::kFloat32;
      return "";
    case ffi::F64:
      *dtype = core::DType::kFloat64;
      return "";
    default:
      return "x must have type F16, BF16, F32 or F64, got " + Text(type);
  }
}

std::string ParseShape(const AnyBuffer& x, core::Problem* problem) {
  const AnyBuffer::Dimensions sizes = x.dimensions();
  std::string broken =
      core::CheckRank(sizes.size(), problem->layout, [&] { return ShapeText(sizes); });
  if (broken.empty()) {
    problem->shape = core::ShapeOf(problem->layout, sizes[0], sizes[1], sizes[2]);
  }
  return broken;
}

std::string ReadProblem(const Call& call, Arguments* arguments) {
  core::Problem& problem = arguments->problem;
  const Statistics& numbers = call.statistics;
  std::string broken = core::ParseStatistics(numbers.begin(), numbers.size(), &problem.statistics);
  if (broken.empty()) broken = core::ParseLayout(call.layout, &problem.layout);
  if (broken.empty()) broken = core::CheckEpsilon(problem.epsilon = call.epsilon);
  if (broken.empty()) {
    broken = core::ParseActivation(call.activation, call.negative_slope, &problem.activation);
  }
  if (broken.empty()) broken = ParseType(call.x.element_type(), &problem.dtype);
  if (broken.empty()) broken = ParseShape(call.x, &problem);
  return broken;
}

// y or upstream, saved and dx: they must fit x.
std::string ReadTensors(const Call& call, Arguments* arguments) {
  core::Problem& problem = arguments->problem;
  const core::Shape& shape = problem.shape;
  const DataType type = call.x.element_type(), y_type = call.y_or_upstream.element_type();
  const DataType compute_type = type == ffi::F64 ? ffi::F64 : ffi::F32;
  const char* y_name = call.dx == nullptr ? "y" : "upstream";
  if (!ParseType(y_type, &problem.out_dtype).empty() ||
      !core::CanHoldResults(problem.out_dtype, problem.dtype)) {
    return std::string(y_name) + " must have the type of x, or F32 for a 16-bit x, got " +
           Text(y_type) + " for " + Text(type);
  }
  const int64_t width = problem.statistics.size * shape.channels;
  const int64_t planes = core::SavedFieldsOf(problem.statistics).size;
  std::string broken =
      Check(y_name, y_type, "[B, S * C]", {shape.batch, width}, call.y_or_upstream);
  if (broken.empty()) {
    broken = Check("saved", compute_type, "[B, planes, C]", {shape.batch, planes, shape.channels},
                   call.saved);
  }
  if (broken.empty() && call.dx != nullptr) {
    const AnyBuffer::Dimensions sizes = call.x.dimensions();
    broken = Check("dx", type, "of x", {sizes[0], sizes[1], sizes[2]}, *call.dx);
  }
  return broken;
}

// If there are two optional operands, the first one is the mask; the type of a single one tells
// which it is.
std::string ReadPadding(const Call& call, Arguments* arguments) {
  const core::Shape& shape = arguments->problem.shape;
  const Optional& first = call.mask_or_lengths;
  std::string broken;
  const bool is_mask =
      first.has_value() && (call.lengths.has_value() || first->element_type() == ffi::PRED);
  const Optional& lengths = is_mask ? call.lengths : first;
  if (first.has_value() && is_mask) {
    broken = Check("mask", ffi::PRED, "[B, T]", {shape.batch, shape.time}, *first);
    arguments->mask = static_cast<const bool*>(first->untyped_data());
  }
  if (broken.empty() && lengths.has_value()) {
    // JAX has no S64 unless it is asked for: the two halves of each, the low one first.
    broken = lengths->element_type() == ffi::S32
                 ? Check("lengths", ffi::S32, "[B, 2]", {shape.batch, 2}, *lengths)
                 : Check("lengths", ffi::S64, "[B]", {shape.batch}, *lengths);
    arguments->lengths = static_cast<const int64_t*>(lengths->untyped_data());
  }
  return broken;
}

}  // namespace

ffi::Error ReadCall(const Call& call, Arguments* arguments) {
  *arguments = {};
  std::string broken = ReadProblem(call, arguments);
  if (broken.empty()) broken = ReadTensors(call, arguments);
  if (broken.empty()) broken = ReadPadding(call, arguments);
  return broken.empty() ? ffi::Error::Success() : BrokenCall(broken);
}

core::ForwardBuffers ForwardBuffersOf(const Call& call, const Arguments& arguments) {
  core::ForwardBuffers buffers = {};
  buffers.y = call.y_or_upstream.untyped_data();
  buffers.saved = call.saved.untyped_data();
  buffers.x = call.x.untyped_data();
  buffers.mask = arguments.mask;
  buffers.lengths = arguments.lengths;
  return buffers;
}

core::GradientBuffers GradientBuffersOf(const Call& call, const Arguments& arguments) {
  core::GradientBuffers buffers = {};
  buffers.dx = call.dx->untyped_data();
  buffers.upstream = call.y_or_upstream.untyped_data();
  buffers.x = call.x.untyped_data();
  buffers.saved = call.saved.untyped_data();
  buffers.mask = arguments.mask;
  buffers.lengths = arguments.lengths;
  return buffers;
}

ffi::Error BrokenCall(const std::string& broken_rule) {
  return ffi::Error::InvalidArgument(broken_rule +
                                     "; let this version of statpool write the custom call again");
}

}  // namespace xla
}  // namespace statpool
