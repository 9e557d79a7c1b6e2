// What a configuration gets and should give: random inputs, the results of the CPU kernels, and how
// far the GPU's may be from them.
#ifndef STATPOOL_BENCHMARKS_CUDA_REFERENCE_H_
#define STATPOOL_BENCHMARKS_CUDA_REFERENCE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "cc/core/dtype.h"
#include "cc/core/float16.h"
#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"

namespace statpool {
namespace bench {

constexpr double kEpsilon = 1e-12;
constexpr int kStatistics = 3;  // mean, max, l2

struct Config {
  core::Shape shape;
  core::DType dtype;
  core::Layout layout;
  bool is_masked;
};

inline const char* NameOf(core::DType dtype) {
  const char* const names[] = {"float16", "bfloat16", "float32", "float64"};
  return names[static_cast<int>(dtype)];
}

inline core::Problem ProblemOf(const Config& config) {
  core::Problem problem = {};
  problem.shape = config.shape;
  problem.layout = config.layout;
  problem.statistics = {{core::Statistic::kMean, core::Statistic::kMax, core::Statistic::kL2},
                        kStatistics};
  problem.epsilon = kEpsilon;
  problem.dtype = problem.out_dtype = config.dtype;
  return problem;
}

inline std::string TextOf(const Config& config) {
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

inline Bytes RandomNumbers(core::DType dtype, int64_t size, unsigned seed) {
  Bytes bytes(size * core::BytesOf(dtype));
  std::mt19937 generator(seed);
  Visit(dtype, [&](auto zero) {
    auto* numbers = reinterpret_cast<decltype(zero)*>(bytes.data());
    for (int64_t i = 0; i < size; ++i) {
      core::StoreRounded(generator() * 0x1p-31 - 1, &numbers[i]);  // [-1, 1)
    }
  });
  return bytes;
}

inline std::vector<double> Doubles(core::DType dtype, const Bytes& bytes) {
  std::vector<double> values(bytes.size() / core::BytesOf(dtype));
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

class NoThreads final : public cpu::Threads {
 public:
  int64_t count() const override { return 1; }
  void Schedule(std::function<void()>) override {}
};

inline Reference MakeReference(const Config& config, const core::Problem& problem) {
  const core::Shape& s = config.shape;
  const int64_t columns = s.batch * s.channels;
  const int64_t planes = core::SavedFieldsOf(problem.statistics).size;
  Reference r;
  r.x = RandomNumbers(config.dtype, s.batch * s.time * s.channels, 1);
  r.upstream = RandomNumbers(config.dtype, columns * kStatistics, 2);
  r.y.resize(r.upstream.size());
  r.saved.resize(columns * planes * core::ComputeBytesOf(config.dtype));
  r.dx.resize(r.x.size());
  r.steps.assign(s.batch, s.time);
  if (config.is_masked) {  // every fourth step is left out
    r.mask.resize(s.batch * s.time);
    for (size_t i = 0; i < r.mask.size(); ++i) r.mask[i] = i % s.time % 4 != 3;
    r.steps.assign(s.batch, s.time - s.time / 4);
  }
  const bool* mask = config.is_masked ? reinterpret_cast<const bool*>(r.mask.data()) : nullptr;
  const cpu::Plan plan = cpu::MakePlan(problem);
  Bytes workspace(plan.workspace_bytes);
  const cpu::InstructionSet& best = cpu::BestInstructionSet();
  NoThreads threads;
  cpu::GlobalStats(problem, plan,
                   {r.y.data(), r.saved.data(), r.x.data(), mask, nullptr, workspace.data()}, best,
                   &threads);
  cpu::GlobalStatsGradient(
      problem, plan, {r.dx.data(), r.upstream.data(), r.x.data(), r.saved.data(), mask, nullptr},
      best, &threads);
  return r;
}

// u is the unit of the arithmetic, `rounding` that of the result, `tiny` its smallest step.
struct Units {
  double u, rounding, tiny;
};

inline Units UnitsOf(core::DType dtype) {
  const Units units[] = {{0x1p-24, 0x1p-11, 0x1p-24},
                         {0x1p-24, 0x1p-8, 0x1p-133},
                         {0x1p-24, 0x1p-24, 0x1p-149},
                         {0x1p-53, 0x1p-53, 0x1p-1074}};
  return units[static_cast<int>(dtype)];
}

// Both may be as far from the exact value as docs/contract.md allows: by `error`, and rounded.
inline bool IsNear(double found, double expected, double error, const Units& units) {
  const double rounding = 2 * units.rounding * std::fabs(expected) + units.tiny;
  return std::fabs(found - expected) <= 2 * error + rounding;  // not so for NaN
}

// The number of results that are wrong.
inline int64_t WrongValues(const Config& config, const Reference& r, const Bytes& found) {
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

inline int64_t WrongGradients(const Config& config, const Reference& r, const Bytes& found) {
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

}  // namespace bench
}  // namespace statpool

#endif  // STATPOOL_BENCHMARKS_CUDA_REFERENCE_H_
