// The longest path of a block, interval by interval, and the instructions of all its warps.
#include "paths.h"

#include <algorithm>

namespace ptxsim {
namespace {

constexpr double kUnits = 10;  // of an instruction that weighs 1; whole numbers compare exactly

// Of the launch, summed over its blocks, in units.
uint64_t g_blocks = 0, g_once = 0;
std::vector<uint64_t> g_longest;  // per interval
// How often warps have executed each instruction.
std::unordered_map<const Function*, std::vector<uint64_t>> g_executed;

// About how many machine instructions become of one of PTX, as nvcc 13 compiles it; in units.
uint32_t ComputeWeight(const Instruction& in) {
  static const struct {
    const char* begin;
    uint32_t weight;
  } kWeights[] = {
      {"div.rn.f64", 340}, {"sqrt.rn.f64", 340}, {"div.rn.f32", 120}, {"sqrt.rn.f32", 120},
      {"div.s64", 1100},   {"div.u64", 1100},    {"rem.s64", 1100},   {"rem.u64", 1100},
      {"div.", 200},       {"rem.", 200},        {"mul.lo.s64", 40},  {"mad.lo.s64", 40},
      {"ld.param", 3},     {"mov.", 3},          {"cvta", 3},         {"add.s64", 20},
      {"sub.s64", 20},     {"shl.b64", 20},      {"selp.b64", 20},    {"min.s64", 20},
      {"max.s64", 20},
  };
  const std::string opcode = OpcodeOf(in);
  for (const auto& known : kWeights) {
    if (opcode.rfind(known.begin, 0) == 0) return known.weight;
  }
  const bool is_wide = opcode.size() > 2 && opcode.compare(opcode.size() - 2, 2, "64") == 0;
  return opcode.rfind("setp.", 0) == 0 && is_wide ? 20 : 10;
}

uint32_t WeightOf(const Instruction& in) {
  static std::vector<uint32_t> known;  // by id; no weight is 0
  if (in.id >= known.size()) known.resize(in.id + 1);
  if (known[in.id] == 0) known[in.id] = ComputeWeight(in);
  return known[in.id];
}

// A warp executes an instruction as often as the lane that does so most often.
void CountWarps(const Block& block) {
  std::unordered_map<const Function*, std::vector<uint32_t>> most;
  for (size_t i = 0; i < block.threads.size(); ++i) {
    for (const auto& [function, times] : block.threads[i].executed) {
      auto& of_warp = most[function];
      of_warp.resize(times.size());
      for (size_t pc = 0; pc < times.size(); ++pc) of_warp[pc] = std::max(of_warp[pc], times[pc]);
    }
    if ((i + 1) % kWarpSize != 0 && i + 1 < block.threads.size()) continue;
    for (auto& [function, times] : most) {
      auto& sums = g_executed[function];
      sums.resize(times.size());
      for (size_t pc = 0; pc < times.size(); ++pc) sums[pc] += times[pc];
      std::fill(times.begin(), times.end(), 0);
    }
  }
}

}  // namespace

std::string OpcodeOf(const Instruction& in) {
  const std::string& text = in.text;
  size_t begin = 0;
  if (!text.empty() && text[0] == '@') {  // without the predicate
    begin = text.find_first_not_of(" \t", text.find_first_of(" \t"));
  }
  return text.substr(begin, text.find_first_of(" \t", begin) - begin);
}

void BeginPaths() {
  g_blocks = g_once = 0;
  g_longest.clear();
  g_executed.clear();
}

void RecordInstruction(Thread& t, Frame& frame, const Instruction& in) {
  if (!frame.executed) {
    auto& executed = t.executed[frame.function];
    executed.resize(frame.function->code.size());
    frame.executed = executed.data();
  }
  const uint32_t weight = WeightOf(in);
  t.interval.work += weight;
  uint32_t& times = frame.executed[frame.pc];
  if (times++ == 0) t.interval.first.push_back({&times, weight});
}

void EndInterval(Block& block) {
  auto longest = std::max_element(
      block.threads.begin(), block.threads.end(),
      [](const Thread& a, const Thread& b) { return a.interval.work < b.interval.work; });
  block.longest.push_back(std::move(longest->interval));
  for (Thread& t : block.threads) t.interval = {};
}

void FoldBlockPaths(Block& block) {
  EndInterval(block);
  ++g_blocks;
  if (g_longest.size() < block.longest.size()) g_longest.resize(block.longest.size());
  for (size_t i = 0; i < block.longest.size(); ++i) {
    g_longest[i] += block.longest[i].work;
    for (const auto& [times, weight] : block.longest[i].first) {
      if (*times == 1) g_once += weight;
    }
  }
  CountWarps(block);
}

Paths SummarizePaths() {
  const double units = kUnits * std::max<uint64_t>(g_blocks, 1);
  Paths paths;
  uint64_t total = 0;
  for (uint64_t sum : g_longest) {
    paths.longest.push_back(sum / units);
    total += sum;
  }
  paths.repeating = (total - g_once) / units;
  paths.once = g_once / units;
  for (const auto& [function, times] : g_executed) {
    for (size_t pc = 0; pc < times.size(); ++pc) {
      if (times[pc] == 0) continue;
      paths.warp_work += times[pc] * WeightOf(function->code[pc]) / kUnits;
      paths.executed[OpcodeOf(function->code[pc])] += times[pc];
    }
  }
  return paths;
}

}  // namespace ptxsim
