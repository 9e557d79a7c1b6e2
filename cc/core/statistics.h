// Names, order and saved planes of the statistics, and the rules that a call must obey.
#ifndef STATPOOL_CORE_STATISTICS_H_
#define STATPOOL_CORE_STATISTICS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Every name that ParseStatistics accepts, indexed by Statistic.
const std::vector<std::string>& StatisticNames();

// Each parser returns an empty string, or the rule that was broken and what was received.
[[nodiscard]] std::string ParseStatistics(const std::vector<std::string>& names,
                                          StatisticList* statistics);
[[nodiscard]] std::string ParseLayout(const std::string& data_format, Layout* layout);
// The same from numbers, where a program holds no names.
[[nodiscard]] std::string ParseStatistics(const int32_t* numbers, size_t count,
                                          StatisticList* statistics);
[[nodiscard]] std::string ParseLayout(int32_t number, Layout* layout);
[[nodiscard]] std::string ParseEpsilon(const std::string& text, double* epsilon);
[[nodiscard]] std::string CheckEpsilon(double epsilon);
[[nodiscard]] std::string CheckLengths(const int64_t* lengths, const Shape& shape);

// The planes that the gradient of these statistics reads, each once, in the order of Plane.
PlaneList SavedPlanes(const StatisticList& statistics);

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_STATISTICS_H_
