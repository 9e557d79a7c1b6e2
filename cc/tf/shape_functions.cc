#include "cc/tf/shape_functions.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cc/core/statistics.h"
#include "cc/tf/problem_attributes.h"

namespace statpool {
namespace tf {
namespace {

using tensorflow::DataType;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// The handles that both ops share.
struct Known {
  ShapeHandle x;
  ShapeHandle y;      // [B, S * C]
  ShapeHandle saved;  // [B, planes, C]
};

absl::Status Broken(InferenceContext* c, const char* name, const char* rule, ShapeHandle got) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must have ", rule, ", got shape ", c->DebugString(got)));
}

// The shape of an optional input merged with the one expected.
absl::Status CheckOptional(InferenceContext* c, const char* name, const char* rule,
                           ShapeHandle expected) {
  std::vector<ShapeHandle> list;
  TF_RETURN_IF_ERROR(c->input(name, &list));
  TF_RETURN_IF_ERROR(CheckAtMostOne(name, list.size()));
  ShapeHandle merged;
  if (list.empty() || c->Merge(list[0], expected, &merged).ok()) return absl::OkStatus();
  return Broken(c, name, absl::StrCat(rule, " = ", c->DebugString(expected)).c_str(), list[0]);
}

absl::Status CheckPooling(InferenceContext* c, int x_index, Known* known) {
  std::vector<std::string> names;
  std::string epsilon_text, data_format;
  core::StatisticList statistics;
  double epsilon;
  core::Layout layout;
  TF_RETURN_IF_ERROR(c->GetAttr("statistics", &names));
  TF_RETURN_IF_ERROR(c->GetAttr("epsilon", &epsilon_text));
  TF_RETURN_IF_ERROR(c->GetAttr("data_format", &data_format));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseStatistics(names, &statistics)));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseEpsilon(epsilon_text, &epsilon)));
  TF_RETURN_IF_ERROR(AsInvalidArgument(core::ParseLayout(data_format, &layout)));
  DataType in, out, saved;
  TF_RETURN_IF_ERROR(c->GetAttr("T", &in));
  TF_RETURN_IF_ERROR(c->GetAttr("Tout", &out));
  TF_RETURN_IF_ERROR(c->GetAttr("Tsaved", &saved));
  TF_RETURN_IF_ERROR(CheckDataTypes(in, out, saved));
  const bool last = layout == core::Layout::kChannelsLast;
  if (!c->WithRank(c->input(x_index), 3, &known->x).ok()) {
    return Broken(c, "x", last ? "rank 3, [B, T, C]" : "rank 3, [B, C, T]", c->input(x_index));
  }
  const DimensionHandle batch = c->Dim(known->x, 0);
  const DimensionHandle time = c->Dim(known->x, last ? 1 : 2);
  const DimensionHandle channels = c->Dim(known->x, last ? 2 : 1);
  TF_RETURN_IF_ERROR(CheckOptional(c, "mask", "shape [B, T]", c->MakeShape({batch, time})));
  TF_RETURN_IF_ERROR(CheckOptional(c, "lengths", "shape [B]", c->MakeShape({batch})));
  DimensionHandle width;
  TF_RETURN_IF_ERROR(c->Multiply(channels, statistics.size, &width));
  known->y = c->MakeShape({batch, width});
  known->saved = c->MakeShape({batch, c->MakeDim(core::SavedPlanes(statistics).size), channels});
  return absl::OkStatus();
}

}  // namespace

absl::Status GlobalStatsShape(InferenceContext* c) {
  Known known;
  TF_RETURN_IF_ERROR(CheckPooling(c, 0, &known));
  c->set_output(0, known.y);
  c->set_output(1, known.saved);
  return absl::OkStatus();
}

absl::Status GlobalStatsGradShape(InferenceContext* c) {
  Known known;
  TF_RETURN_IF_ERROR(CheckPooling(c, 1, &known));
  ShapeHandle merged;
  if (!c->Merge(c->input(0), known.y, &merged).ok()) {
    const std::string rule = absl::StrCat("shape [B, S * C] = ", c->DebugString(known.y));
    return Broken(c, "upstream", rule.c_str(), c->input(0));
  }
  if (!c->Merge(c->input(2), known.saved, &merged).ok()) {
    const std::string rule = absl::StrCat("shape [B, planes, C] = ", c->DebugString(known.saved));
    return Broken(c, "saved", rule.c_str(), c->input(2));
  }
  c->set_output(0, known.x);
  return absl::OkStatus();
}

}  // namespace tf
}  // namespace statpool
