// Passes lengths as arguments of kernels. A block stores the lengths of its launch, a thread one of
// them.
#include <algorithm>

#include "cuda/lengths.h"

namespace statpool {
namespace cuda {
namespace {

// As many as fit, with the address, into the 4 KiB of arguments that every architecture allows.
constexpr int kLengthsOfLaunch = 480;

struct Lengths {
  int64_t numbers[kLengthsOfLaunch];
};

__global__ void __launch_bounds__(kLengthsOfLaunch)
    StoreLengthsKernel(const __grid_constant__ Lengths lengths, int64_t* on_device) {
  on_device[threadIdx.x] = lengths.numbers[threadIdx.x];
}

}  // namespace

cudaError_t StoreLengths(const int64_t* lengths, int64_t size, int64_t* on_device,
                         cudaStream_t stream) {
  for (int64_t done = 0; done < size; done += kLengthsOfLaunch) {
    const int64_t count = std::min<int64_t>(size - done, kLengthsOfLaunch);
    Lengths arguments = {};
    std::copy_n(lengths + done, count, arguments.numbers);
    StoreLengthsKernel<<<1, static_cast<unsigned>(count), 0, stream>>>(arguments, on_device + done);
    if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace cuda
}  // namespace statpool
