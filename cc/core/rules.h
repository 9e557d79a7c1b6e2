// The rules that a call must obey, stated once for every framework. Python's _options.py states
// them again, because the composite and the reference work without this library.
#ifndef STATPOOL_CORE_RULES_H_
#define STATPOOL_CORE_RULES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cc/core/api.h"
#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Each of these returns an empty string, or the rule that was broken and what was received.
[[nodiscard]] STATPOOL_API std::string ParseStatistics(const std::vector<std::string>& names,
                                                       StatisticList* statistics);
[[nodiscard]] STATPOOL_API std::string ParseLayout(const std::string& data_format, Layout* layout);
// The same from the numbers that XLA's custom calls hold instead of names.
[[nodiscard]] STATPOOL_API std::string ParseStatistics(const int32_t* numbers, size_t count,
                                                       StatisticList* statistics);
[[nodiscard]] STATPOOL_API std::string ParseLayout(int32_t number, Layout* layout);
[[nodiscard]] STATPOOL_API std::string ParseEpsilon(const std::string& text, double* epsilon);
[[nodiscard]] STATPOOL_API std::string CheckEpsilon(double epsilon);
[[nodiscard]] STATPOOL_API std::string ParseActivation(const std::string& name,
                                                       double negative_slope,
                                                       InputActivation* activation);
[[nodiscard]] STATPOOL_API std::string ParseActivation(int32_t number, double negative_slope,
                                                       InputActivation* activation);
[[nodiscard]] STATPOOL_API std::string ParseNumber(const char* name, const std::string& text,
                                                   double* number);
[[nodiscard]] STATPOOL_API std::string CheckLengths(const int64_t* lengths, const Shape& shape);

// `shape` is the shape of x as the framework prints it.
[[nodiscard]] STATPOOL_API std::string WrongRank(Layout layout, const std::string& shape);

// `shape_text()` is called only if the rank is wrong: printing takes as long as a short call.
template <typename ShapeText>
[[nodiscard]] std::string CheckRank(int64_t rank, Layout layout, const ShapeText& shape_text) {
  return rank == 3 ? "" : WrongRank(layout, shape_text());
}

// Whether results may be rounded to `out`: to the dtype of x, or from a 16-bit one to kFloat32.
STATPOOL_API bool CanHoldResults(DType out, DType dtype);

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_RULES_H_
