// The CUDA kernels alone, without TensorFlow: each configuration is checked against the CPU
// kernels, then timed with events, and compared with what a plain copy reaches on the same card.
//
//   bench_kernels [--tiny] [filter]
//
// --tiny takes small shapes, which say nothing about speed: for tests. A filter keeps the
// configurations whose line contains it, such as "float32 channels_last". Ends with status 1 if a
// result is wrong.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "benchmarks/cuda/device_memory.h"
#include "benchmarks/cuda/reference.h"
#include "cuda/device.h"
#include "cuda/global_stats_cuda.h"

namespace statpool {
namespace bench {
namespace {

// Rows of whole vectors; a long example, split over time; few and odd channels; long batches.
const core::Shape kShapes[] = {{64, 1500, 512}, {16, 2580, 128}, {1, 1000000, 8},
                               {64, 1500, 5},   {64, 1500, 40},  {4096, 50, 64}};
const core::Shape kTinyShapes[] = {{2, 40, 128}, {1, 1300, 20}, {3, 41, 5}};

// One configuration on the device.
class Pooling {
 public:
  Pooling(const Config& config, const Reference& r, const cuda::Device& device)
      : problem_(ProblemOf(config)),
        x_(r.x),
        upstream_(r.upstream),
        mask_(r.mask),
        y_(r.y.size()),
        saved_(r.saved.size()),
        dx_(r.dx.size()),
        forward_plan_(cuda::MakeForwardPlan(problem_, cuda::AlignmentOf(forward()), device)),
        gradient_plan_(cuda::MakeGradientPlan(problem_, cuda::AlignmentOf(gradient()), device)),
        workspace_(forward_plan_.workspace_bytes) {}

  void Forward() {
    core::ForwardBuffers buffers = forward();
    buffers.workspace = workspace_.get();
    Check(cuda::LaunchGlobalStats(problem_, forward_plan_, buffers, nullptr), "forward launch");
  }

  void Gradient() {
    Check(cuda::LaunchGlobalStatsGradient(problem_, gradient_plan_, gradient(), nullptr),
          "gradient launch");
  }

  Bytes y() const { return y_.Fetch(); }
  Bytes dx() const { return dx_.Fetch(); }

  // What the plans count: x whole, though masked steps are not read.
  int64_t ForwardBytes() const {
    return forward_plan_.launch.bytes_read + forward_plan_.launch.bytes_written;
  }
  int64_t GradientBytes() const { return gradient_plan_.bytes_read + gradient_plan_.bytes_written; }

 private:
  const bool* mask() const { return static_cast<const bool*>(mask_.get()); }
  core::ForwardBuffers forward() const {
    return {y_.get(), saved_.get(), x_.get(), mask(), nullptr, nullptr};
  }
  core::GradientBuffers gradient() const {
    return {dx_.get(), upstream_.get(), x_.get(), saved_.get(), mask(), nullptr};
  }

  core::Problem problem_;
  DeviceMemory x_, upstream_, mask_, y_, saved_, dx_;
  cuda::ForwardPlan forward_plan_;
  cuda::LaunchPlan gradient_plan_;
  DeviceMemory workspace_;
};

void PrintTimes(const char* pass, Times times, double bytes, double copy_speed) {
  const double speed = bytes / times.median / 1e6;  // bytes and ms: GB/s
  std::printf("  %-8s %9.4f ms [%.4f, %.4f] %8.1f GB/s %5.1f %% of a copy\n", pass, times.median,
              times.low, times.high, speed, 100 * speed / copy_speed);
}

// Returns whether all results are right; only then times it.
bool Run(const Config& config, const cuda::Device& device, Stopwatch* stopwatch,
         double copy_speed) {
  const Reference reference = MakeReference(config, ProblemOf(config));
  Pooling pooling(config, reference, device);
  pooling.Forward();
  pooling.Gradient();
  const int64_t wrong_values = WrongValues(config, reference, pooling.y());
  const int64_t wrong_gradients = WrongGradients(config, reference, pooling.dx());
  if (wrong_values + wrong_gradients > 0) {
    std::printf("%s WRONG: %lld results, %lld gradients\n", TextOf(config).c_str(),
                static_cast<long long>(wrong_values), static_cast<long long>(wrong_gradients));
    return false;
  }
  std::printf("%s right\n", TextOf(config).c_str());
  PrintTimes("forward", stopwatch->Measure([&] { pooling.Forward(); }),
             static_cast<double>(pooling.ForwardBytes()), copy_speed);
  PrintTimes("gradient", stopwatch->Measure([&] { pooling.Gradient(); }),
             static_cast<double>(pooling.GradientBytes()), copy_speed);
  return true;
}

std::vector<Config> ConfigsOf(const std::vector<core::Shape>& shapes) {
  std::vector<Config> configs;
  for (const core::Shape& shape : shapes) {
    for (int dtype = 0; dtype < 4; ++dtype) {
      for (const core::Layout layout :
           {core::Layout::kChannelsLast, core::Layout::kChannelsFirst}) {
        for (const bool is_masked : {false, true}) {
          configs.push_back({shape, static_cast<core::DType>(dtype), layout, is_masked});
        }
      }
    }
  }
  return configs;
}

int Main(int argc, char** argv) {
  const bool is_tiny = argc > 1 && std::strcmp(argv[1], "--tiny") == 0;
  const std::string filter = argc > 1 + is_tiny ? argv[1 + is_tiny] : "";
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("bench_kernels: skipped, there is no GPU here\n");
    return 0;
  }
  cuda::Device device = {};
  Check(cuda::CurrentDevice(&device), "asking for the device");
  std::vector<core::Shape> shapes(std::begin(kShapes), std::end(kShapes));
  if (is_tiny) shapes.assign(std::begin(kTinyShapes), std::end(kTinyShapes));
  Stopwatch stopwatch(is_tiny ? 1 : 50);
  const double copy_speed = CopySpeed(&stopwatch, is_tiny ? 1 << 16 : int64_t{1} << 29);
  std::printf("a copy: %.1f GB/s, read and written\n", copy_speed);
  int right = 0, wrong = 0;
  for (const Config& config : ConfigsOf(shapes)) {
    if (TextOf(config).find(filter) == std::string::npos) continue;
    ++(Run(config, device, &stopwatch, copy_speed) ? right : wrong);
  }
  std::printf("%d configurations right, %d wrong\n", right, wrong);
  return wrong > 0 || right == 0;
}

}  // namespace
}  // namespace bench
}  // namespace statpool

int main(int argc, char** argv) { return statpool::bench::Main(argc, argv); }
