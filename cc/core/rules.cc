#include "cc/core/rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "cc/core/activation.h"

namespace statpool {
namespace core {
namespace {

std::string Quoted(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const std::string& name : names) {
    if (text.size() > 1) text += ", ";
    text += "'" + name + "'";
  }
  return text + "]";
}

std::vector<std::string> StatisticNames() {
  std::vector<std::string> names;
  for (const StatisticRow& row : kStatistics) names.push_back(row.name);
  return names;
}

int IndexOf(const std::string& name) {
  for (int i = 0; i < kStatisticCount; ++i) {
    if (kStatistics[i].name == name) return i;
  }
  return -1;
}

// Returns false if the list has it already.
bool Append(Statistic statistic, StatisticList* list) {
  const Statistic* end = list->items + list->size;
  if (std::find<const Statistic*>(list->items, end, statistic) != end) return false;
  list->items[list->size++] = statistic;
  return true;
}

}  // namespace

std::string ParseStatistics(const std::vector<std::string>& names, StatisticList* statistics) {
  statistics->size = 0;
  if (names.empty()) {
    return "statistics must name at least one of " + Quoted(StatisticNames()) + ", got []";
  }
  for (const std::string& name : names) {
    const int index = IndexOf(name);
    if (index < 0) {
      return "statistics must be among " + Quoted(StatisticNames()) + ", got '" + name + "'";
    }
    if (!Append(static_cast<Statistic>(index), statistics)) {
      return "statistics must not repeat a name, got '" + name + "' twice in " + Quoted(names);
    }
  }
  return "";
}

std::string ParseStatistics(const int32_t* numbers, size_t count, StatisticList* statistics) {
  statistics->size = 0;
  if (count == 0) return "statistics must hold at least one number, got none";
  for (size_t i = 0; i < count; ++i) {
    if (numbers[i] < 0 || numbers[i] >= kStatisticCount) {
      return "statistics must be numbers of " + Quoted(StatisticNames()) +
             ", counted from 0, got " + std::to_string(numbers[i]);
    }
    if (!Append(static_cast<Statistic>(numbers[i]), statistics)) {
      return "statistics must not repeat a number, got " + std::to_string(numbers[i]) +
             " twice among " + std::to_string(count);
    }
  }
  return "";
}

std::string ParseLayout(const std::string& data_format, Layout* layout) {
  *layout = data_format == "channels_first" ? Layout::kChannelsFirst : Layout::kChannelsLast;
  if (data_format == "channels_first" || data_format == "channels_last") return "";
  return "data_format must be 'channels_last' or 'channels_first', got '" + data_format + "'";
}

std::string ParseLayout(int32_t number, Layout* layout) {
  *layout = static_cast<Layout>(number);
  if (*layout == Layout::kChannelsLast || *layout == Layout::kChannelsFirst) return "";
  return "layout must be 0 (channels_last) or 1 (channels_first), got " + std::to_string(number);
}

std::string ParseNumber(const char* name, const std::string& text, double* number) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, *number);
  if (parsed.ec == std::errc() && parsed.ptr == end) return "";
  return std::string(name) + " must be a decimal number such as '1e-12', got '" + text + "'";
}

std::string ParseEpsilon(const std::string& text, double* epsilon) {
  const std::string broken = ParseNumber("epsilon", text, epsilon);
  return broken.empty() ? CheckEpsilon(*epsilon) : broken;
}

std::string ParseActivation(const std::string& name, double negative_slope,
                            InputActivation* activation) {
  std::vector<std::string> names;
  for (const ActivationRow& row : kActivations) names.push_back(row.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return "input_activation must be among " + Quoted(names) + ", got '" + name + "'";
  }
  return ParseActivation(static_cast<int32_t>(found - names.begin()), negative_slope, activation);
}

std::string ParseActivation(int32_t number, double negative_slope, InputActivation* activation) {
  if (number < 0 || number >= kActivationCount) {
    return "activation must be a number below " + std::to_string(kActivationCount) + ", got " +
           std::to_string(number);
  }
  *activation = {static_cast<Activation>(number), negative_slope};
  if (negative_slope > 0 && negative_slope <= 1) return "";
  std::ostringstream text;
  text << "negative_slope must be above 0 and at most 1, got " << negative_slope;
  return text.str();
}

std::string CheckEpsilon(double epsilon) {
  if (std::isfinite(epsilon) && epsilon >= 0) return "";
  std::ostringstream text;
  text << "epsilon must be finite and >= 0, got " << epsilon;
  return text.str();
}

std::string CheckLengths(const int64_t* lengths, const Shape& shape) {
  for (int64_t b = 0; b < shape.batch; ++b) {
    if (lengths[b] < 0 || lengths[b] > shape.time) {
      return "lengths must lie in [0, T] = [0, " + std::to_string(shape.time) + "], got " +
             std::to_string(lengths[b]) + " for example " + std::to_string(b);
    }
  }
  return "";
}

std::string WrongRank(Layout layout, const std::string& shape) {
  const char* const axes = layout == Layout::kChannelsLast ? "[B, T, C]" : "[B, C, T]";
  return std::string("x must have rank 3, ") + axes + ", got shape " + shape;
}

bool CanHoldResults(DType out, DType dtype) {
  const bool is_16_bit = dtype == DType::kFloat16 || dtype == DType::kBFloat16;
  return out == dtype || (is_16_bit && out == DType::kFloat32);
}

}  // namespace core
}  // namespace statpool
