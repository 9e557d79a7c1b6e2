#include "cc/core/statistics.h"

namespace statpool {
namespace core {

const std::vector<std::string>& StatisticNames() {
  static const auto* names = new std::vector<std::string>{"mean", "max", "min", "l2", "rms", "std"};
  return *names;
}

PlaneList SavedPlanes(const StatisticList& statistics) {
  bool needed[kPlaneCount] = {};
  const auto need = [&needed](Plane plane) { needed[static_cast<int>(plane)] = true; };
  for (int i = 0; i < statistics.size; ++i) {
    switch (statistics.items[i]) {
      case Statistic::kMean:
        need(Plane::kSteps);
        need(Plane::kMean);
        break;
      case Statistic::kMax:
        need(Plane::kMax);
        need(Plane::kMaxCount);
        break;
      case Statistic::kMin:
        need(Plane::kMin);
        need(Plane::kMinCount);
        break;
      case Statistic::kL2:
        need(Plane::kL2);
        break;
      case Statistic::kRms:
        need(Plane::kSteps);
        need(Plane::kRms);
        break;
      case Statistic::kStd:
        need(Plane::kSteps);
        need(Plane::kMean);
        need(Plane::kMeanResidual);
        need(Plane::kStd);
        break;
    }
  }
  PlaneList planes = {};
  for (int i = 0; i < kPlaneCount; ++i) {
    if (needed[i]) planes.items[planes.size++] = static_cast<Plane>(i);
  }
  return planes;
}

}  // namespace core
}  // namespace statpool
