// Names, order and saved planes of the statistics.
#ifndef STATPOOL_CORE_STATISTICS_H_
#define STATPOOL_CORE_STATISTICS_H_

#include <string>
#include <vector>

#include "cc/core/problem.h"

namespace statpool {
namespace core {

// Every name that ParseStatistics accepts, indexed by Statistic.
const std::vector<std::string>& StatisticNames();

// The planes that the gradient of these statistics reads, each once, in the order of Plane.
PlaneList SavedPlanes(const StatisticList& statistics);

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_STATISTICS_H_
