// The forward kernel for mean and std alone, known when it is compiled: for the model of its speed,
// which takes what is chosen at run time for switched off (tests/cuda_bars.py).
#include "cuda/global_stats_kernels.cuh"

namespace statpool {
namespace cuda {
namespace {

struct MeanStdSums {
  static constexpr bool sum = true;
  static constexpr bool squares = false;
  static constexpr bool central = true;
  static constexpr bool max = false;
  static constexpr bool min = false;
};

}  // namespace

template <>
constexpr MeanStdSums kMostSums<MeanStdSums> = {};

template __global__ void GlobalStatsForwardKernel<float, 4>(
    const __grid_constant__ ForwardArguments, const MeanStdSums);

}  // namespace cuda
}  // namespace statpool
