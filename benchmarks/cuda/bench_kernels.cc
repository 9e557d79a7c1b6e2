// The CUDA kernels alone, without TensorFlow: each configuration is checked against the CPU
// kernels, then timed with events, and compared with what a plain copy reaches on the same card.
//
//   bench_kernels [--tiny] [filter]
//
// --tiny takes small shapes, which say nothing about speed: for tests. A filter keeps the
// configurations whose line contains it, such as "float32 channels_last". Ends with status 1 if a
// result is wrong.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "benchmarks/cuda/device_memory.h"
#include "cc/core/float16.h"
#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/cpu/global_stats_gradient_cpu.h"
#include "cuda/alignment.h"
#include "cuda/device.h"
#include "cuda/global_stats_cuda.h"
#include "cuda/global_stats_gradient_cuda.h"

namespace core = statpool::core;
namespace cpu = statpool::cpu;
namespace cuda = statpool::cuda;

namespace {

constexpr double kEpsilon = 1e-12;
constexpr int kStatistics = 3;  // mean, max, l2

struct Config {
  core::Shape shape;
  core::DType dtype;
  core::Layout layout;
  bool is_masked;
};

// Rows of whole vectors; a long example, split over time; few and odd channels; long batches.
const core::Shape kShapes[] = {{64, 1500, 512}, {16, 2580, 128}, {1, 1000000, 8},
                               {64, 1500, 5},   {64, 1500, 40},  {4096, 50, 64}};
const core::Shape kTinyShapes[] = {{2, 40, 128}, {1, 1700, 8}, {3, 41, 5}, {2, 33, 20}};

const char* NameOf(core::DType dtype) {
  const char* const names[] = {"float16", "bfloat16", "float32", "float64"};
  return names[static_cast<int>(dtype)];
}

int64_t BytesOf(core::DType dtype) {
  const int64_t bytes[] = {2, 2, 4, 8};
  return bytes[static_cast<int>(dtype)];
}

core::Problem ProblemOf(const Config& config) {
  core::Problem problem = {};
  problem.shape = config.shape;
  problem.layout = config.layout;
  problem.statistics = {{core::Statistic::kMean, core::Statistic::kMax, core::Statistic::kL2},
                        kStatistics};
  problem.epsilon = kEpsilon;
  return problem;
}

std::string TextOf(const Config& config) {
  char text[128];
  const core::Shape& shape = config.shape;
  std::snprintf(text, sizeof text, "%lldx%lldx%lld %s %s%s", static_cast<long long>(shape.batch),
                static_cast<long long>(shape.time), static_cast<long long>(shape.channels),
                NameOf(config.dtype),
                config.layout == core::Layout::kChannelsLast ? "channels_last" : "channels_first",
                config.is_masked ? " masked" : "");
  return text;
}

// ------------------------------------------------------------------------------------------------
// Numbers of any dtype

using Bytes = std::vector<char>;

template <typename Function>
void Visit(core::DType dtype, Function function) {
  switch (dtype) {
    case core::DType::kFloat16:
      return function(core::Float16{});
    case core::DType::kBFloat16:
      return function(core::BFloat16{});
    case core::DType::kFloat32:
      return function(float{});
    case core::DType::kFloat64:
      return function(double{});
  }
}

Bytes RandomNumbers(core::DType dtype, int64_t size, unsigned seed) {
  Bytes bytes(size * BytesOf(dtype));
  std::mt19937 generator(seed);
  Visit(dtype, [&](auto zero) {
    auto* numbers = reinterpret_cast<decltype(zero)*>(bytes.data());
    for (int64_t i = 0; i < size; ++i) {
      core::StoreRounded(generator() * 0x1p-31 - 1, &numbers[i]);  // [-1, 1)
    }
  });
  return bytes;
}

std::vector<double> Doubles(core::DType dtype, const Bytes& bytes) {
  std::vector<double> values(bytes.size() / BytesOf(dtype));
  Visit(dtype, [&](auto zero) {
    const auto* numbers = reinterpret_cast<const decltype(zero)*>(bytes.data());
    std::transform(numbers, numbers + values.size(), values.begin(),
                   [](auto number) { return core::ToCompute(number); });
  });
  return values;
}

// ------------------------------------------------------------------------------------------------
// Right

// Arrays of one configuration on the host: what goes in, and what the CPU kernels make of it.
struct Reference {
  Bytes x, upstream, y, saved, dx;
  std::vector<char> mask;  // bool
  std::vector<int64_t> steps;
};

Reference MakeReference(const Config& config, const core::Problem& problem) {
  const core::Shape& s = config.shape;
  const int64_t columns = s.batch * s.channels;
  const int64_t planes = core::SavedPlanes(problem.statistics).size;
  Reference r;
  r.x = RandomNumbers(config.dtype, s.batch * s.time * s.channels, 1);
  r.upstream = RandomNumbers(config.dtype, columns * kStatistics, 2);
  r.y.resize(r.upstream.size());
  r.saved.resize(columns * planes * std::max<int64_t>(BytesOf(config.dtype), 4));
  r.dx.resize(r.x.size());
  r.steps.assign(s.batch, s.time);
  if (config.is_masked) {  // every fourth step is left out
    r.mask.resize(s.batch * s.time);
    for (size_t i = 0; i < r.mask.size(); ++i) r.mask[i] = i % s.time % 4 != 3;
    r.steps.assign(s.batch, s.time - s.time / 4);
  }
  const bool* mask = config.is_masked ? reinterpret_cast<const bool*>(r.mask.data()) : nullptr;
  const auto one_thread = [](int64_t units, int64_t, const cpu::Work& work) { work(0, units); };
  Bytes workspace(cpu::GlobalStatsWorkspaceBytes(problem, config.dtype));
  const cpu::InstructionSet& best = cpu::BestInstructionSet();
  cpu::GlobalStats(r.y.data(), r.saved.data(), r.x.data(), mask, nullptr, problem, config.dtype,
                   config.dtype, workspace.data(), best, one_thread);
  cpu::GlobalStatsGradient(r.dx.data(), r.upstream.data(), r.x.data(), r.saved.data(), mask,
                           nullptr, problem, config.dtype, config.dtype, best, one_thread);
  return r;
}

// u is the unit of the arithmetic, `rounding` that of the result, `tiny` its smallest step.
struct Units {
  double u, rounding, tiny;
};

Units UnitsOf(core::DType dtype) {
  const Units units[] = {{0x1p-24, 0x1p-11, 0x1p-24},
                         {0x1p-24, 0x1p-8, 0x1p-133},
                         {0x1p-24, 0x1p-24, 0x1p-149},
                         {0x1p-53, 0x1p-53, 0x1p-1074}};
  return units[static_cast<int>(dtype)];
}

// Both may be as far from the exact value as docs/contract.md allows: by `error`, and rounded.
bool IsNear(double found, double expected, double error, const Units& units) {
  const double rounding = 2 * units.rounding * std::fabs(expected) + units.tiny;
  return std::fabs(found - expected) <= 2 * error + rounding;  // not so for NaN
}

// The number of results that are wrong.
int64_t WrongValues(const Config& config, const Reference& r, const Bytes& found) {
  const std::vector<double> expected = Doubles(config.dtype, r.y);
  const std::vector<double> values = Doubles(config.dtype, found);
  const Units units = UnitsOf(config.dtype);
  const int64_t channels = config.shape.channels;
  int64_t wrong = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t statistic = static_cast<int64_t>(i) / channels % kStatistics;
    const bool is_max = statistic == 1;
    const double scale = statistic == 0 ? 1 : std::fabs(expected[i]);  // mean|x| is below 1
    wrong += is_max ? values[i] != expected[i]
                    : !IsNear(values[i], expected[i], 8 * units.u * scale, units);
  }
  return wrong;
}

int64_t WrongGradients(const Config& config, const Reference& r, const Bytes& found) {
  const std::vector<double> expected = Doubles(config.dtype, r.dx);
  const std::vector<double> values = Doubles(config.dtype, found);
  const std::vector<double> x = Doubles(config.dtype, r.x);
  const std::vector<double> y = Doubles(config.dtype, r.y);
  const std::vector<double> upstream = Doubles(config.dtype, r.upstream);
  const Units units = UnitsOf(config.dtype);
  const core::Shape& s = config.shape;
  const bool is_last = config.layout == core::Layout::kChannelsLast;
  int64_t wrong = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
    const int64_t b = i / (s.time * s.channels);
    const int64_t c = is_last ? i % s.channels : i / s.time % s.channels;
    const int64_t mean = b * kStatistics * s.channels + c;
    const int64_t l2 = mean + 2 * s.channels;
    // That of max is at most the whole and the other two.
    const double smooth =
        std::fabs(upstream[mean]) / r.steps[b] + std::fabs(upstream[l2] * x[i] / y[l2]);
    const double magnitude = std::fabs(expected[i]) + 2 * smooth;
    wrong += !IsNear(values[i], expected[i], 16 * units.u * magnitude, units);
  }
  return wrong;
}

// ------------------------------------------------------------------------------------------------
// Fast

// One configuration on the device.
class Pooling {
 public:
  Pooling(const Config& config, const Reference& r, const cuda::Device& device)
      : dtype_(config.dtype),
        problem_(ProblemOf(config)),
        device_(device),
        x_(r.x),
        upstream_(r.upstream),
        mask_(r.mask),
        y_(r.y.size()),
        saved_(r.saved.size()),
        dx_(r.dx.size()),
        workspace_(cuda::GlobalStatsWorkspaceBytes(problem_, dtype_, device)) {}

  void Forward() {
    Check(cuda::LaunchGlobalStats(y_.get(), saved_.get(), x_.get(), mask(), nullptr, problem_,
                                  dtype_, dtype_, device_, workspace_.get(), nullptr),
          "forward launch");
  }

  void Gradient() {
    Check(
        cuda::LaunchGlobalStatsGradient(dx_.get(), upstream_.get(), x_.get(), saved_.get(), mask(),
                                        nullptr, problem_, dtype_, dtype_, device_, nullptr),
        "gradient launch");
  }

  Bytes y() const { return y_.Fetch(); }
  Bytes dx() const { return dx_.Fetch(); }

  // What the plans count: x whole, though masked steps are not read.
  int64_t ForwardBytes() const {
    const cuda::LaunchPlan plan =
        cuda::MakeForwardPlan(problem_, dtype_, cuda::AlignmentOf(x_.get()), device_).launch;
    return plan.bytes_read + plan.bytes_written;
  }
  int64_t GradientBytes() const {
    const cuda::LaunchPlan plan =
        cuda::MakeGradientPlan(problem_, dtype_, cuda::AlignmentOf(x_.get()), device_);
    return plan.bytes_read + plan.bytes_written;
  }

 private:
  const bool* mask() const { return static_cast<const bool*>(mask_.get()); }

  core::DType dtype_;
  core::Problem problem_;
  cuda::Device device_;
  DeviceMemory x_, upstream_, mask_, y_, saved_, dx_, workspace_;
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

}  // namespace

int main(int argc, char** argv) {
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
  Stopwatch stopwatch(is_tiny ? 3 : 50);
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
