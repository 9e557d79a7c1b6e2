// Counts per launch: the requests of each memory instruction, and how often each byte was touched.
#include "stats.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "paths.h"
#include "requests.h"

namespace ptxsim {
namespace {

// Sums over the requests of one memory instruction in one space (cp.async has two).
struct Site {
  const Instruction* in;
  bool shared;
  Access access;
  int width;
  uint64_t requests = 0, lanes = 0, bytes = 0, sectors = 0, lines = 0, passes = 0;
};

bool g_forced = false, g_forced_on = false;         // by SetStats()
std::map<std::pair<uint32_t, bool>, Site> g_sites;  // by instruction id and space
uint64_t g_loaded = 0, g_stored = 0, g_atomic = 0;
uint64_t g_first_instruction = 0;
std::set<uint64_t> g_touched;         // base addresses touched in this launch
std::vector<std::string> g_launches;  // JSON objects

const char* NameOf(Access access) {
  return access == Access::kLoad ? "load" : access == Access::kStore ? "store" : "atomic";
}

struct CountSummary {
  uint64_t total = 0, distinct = 0, max = 0;
};

CountSummary Summarize(const std::vector<uint32_t>& counts) {
  CountSummary s;
  for (uint32_t n : counts) {
    s.total += n;
    s.distinct += n != 0;
    s.max = std::max<uint64_t>(s.max, n);
  }
  return s;
}

std::string Quote(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<uint8_t>(c) < 32 ? ' ' : c;
  }
  return out + "\"";
}

std::string Demangle(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string out = status == 0 && text ? text : name;
  free(text);
  return out;
}

// For %llu, whatever the platform calls 64 bits.
unsigned long long Ull(uint64_t value) { return value; }

std::string AllocationJson(const Allocation& a) {
  CountSummary loads = Summarize(a.counts->loads), stores = Summarize(a.counts->stores),
               atomics = Summarize(a.counts->atomics);
  std::string text =
      Format("{\"base\": %llu, \"size\": %zu, \"order\": %llu, \"name\": ", Ull(a.base), a.size,
             Ull(a.order)) +
      Quote(a.name);
  auto add = [&](const char* past, const char* plural, const CountSummary& s) {
    text += Format(", \"bytes_%s\": %llu, \"distinct_bytes_%s\": %llu, \"max_%s_per_byte\": %llu",
                   past, Ull(s.total), past, Ull(s.distinct), plural, Ull(s.max));
  };
  add("loaded", "loads", loads);
  add("stored", "stores", stores);
  add("atomic", "atomics", atomics);
  return text + "}";
}

std::string SiteJson(const Launch& launch, const Site& s) {
  auto file = launch.module->files.find(s.in->file);
  std::string text = "{\"file\": ";
  text += s.in->source_line && file != launch.module->files.end() ? Quote(file->second) : "null";
  text +=
      Format(", \"line\": %d, \"ptx_line\": %d, \"opcode\": ", s.in->source_line, s.in->ptx_line) +
      Quote(OpcodeOf(*s.in));
  text += Format(
      ", \"space\": \"%s\", \"access\": \"%s\", \"width\": %d, \"requests\": %llu"
      ", \"lanes_per_request\": %.4f, \"bytes\": %llu",
      s.shared ? "shared" : "global", NameOf(s.access), s.width, Ull(s.requests),
      static_cast<double>(s.lanes) / s.requests, Ull(s.bytes));
  if (s.shared) {
    text += Format(", \"bank_passes\": %llu, \"passes_per_request\": %.4f}", Ull(s.passes),
                   static_cast<double>(s.passes) / s.requests);
  } else {
    text += Format(", \"lines\": %llu, \"sectors\": %llu, \"sectors_per_request\": %.4f}",
                   Ull(s.lines), Ull(s.sectors), static_cast<double>(s.sectors) / s.requests);
  }
  return text;
}

std::string LaunchJson(const Launch& launch) {
  uint64_t passes = 0, sectors = 0;
  for (const auto& site : g_sites) {
    passes += site.second.passes;
    sectors += site.second.sectors;
  }
  std::string text = "{\"kernel\": " + Quote(launch.kernel->name) +
                     ", \"name\": " + Quote(Demangle(launch.kernel->name));
  text += Format(
      ", \"grid\": [%u, %u, %u], \"block\": [%u, %u, %u], \"dynamic_smem\": %d, "
      "\"static_smem\": %d, \"thread_instructions\": %llu, \"global_bytes_loaded\": %llu, "
      "\"global_bytes_stored\": %llu, \"global_bytes_atomic\": %llu, \"global_sectors\": %llu, "
      "\"shared_bank_passes\": %llu,\n  \"allocations\": [",
      launch.grid.x, launch.grid.y, launch.grid.z, launch.block_dim.x, launch.block_dim.y,
      launch.block_dim.z, launch.dynamic_smem, launch.kernel->shared_used,
      Ull(g_instructions - g_first_instruction), Ull(g_loaded), Ull(g_stored), Ull(g_atomic),
      Ull(sectors), Ull(passes));
  const char* separator = "";
  std::map<uint64_t, const Allocation*> by_order;
  for (uint64_t base : g_touched) {
    auto it = AllAllocations().find(base);
    if (it != AllAllocations().end() && it->second.counts) by_order[it->second.order] = &it->second;
  }
  for (const auto& a : by_order) {
    text += std::string(separator) + "\n    " + AllocationJson(*a.second);
    separator = ",";
  }
  text += "],\n  \"instructions\": [";
  separator = "";
  for (const auto& site : g_sites) {
    text += std::string(separator) + "\n    " + SiteJson(launch, site.second);
    separator = ",";
  }
  const Paths paths = SummarizePaths();
  text += "],\n  \"longest_path\": [";
  separator = "";
  for (double longest : paths.longest) {
    text += Format("%s%.1f", separator, longest);
    separator = ", ";
  }
  text += Format("], \"path_repeating\": %.1f, \"path_once\": %.1f, \"warp_work\": %.1f",
                 paths.repeating, paths.once, paths.warp_work);
  text += ",\n  \"executed\": {";
  separator = "";
  for (const auto& opcode : paths.executed) {
    text += separator + Quote(opcode.first) + ": " + std::to_string(opcode.second);
    separator = ", ";
  }
  return text + "}}";
}

void PrintText(const Launch& launch) {
  dim3 g = launch.grid, b = launch.block_dim;
  fprintf(stderr, "ptxsim: %s grid (%u,%u,%u) block (%u,%u,%u): %llu thread instructions\n",
          launch.kernel->name.c_str(), g.x, g.y, g.z, b.x, b.y, b.z,
          Ull(g_instructions - g_first_instruction));
  const Paths paths = SummarizePaths();
  fprintf(stderr, "  longest path: %.1f repeat, %.1f run once\n", paths.repeating, paths.once);
  for (const auto& entry : g_sites) {
    const Site& s = entry.second;
    double lanes = static_cast<double>(s.lanes) / s.requests;
    if (s.shared) {
      fprintf(stderr, "  shared line %4d: %8llu requests, %.2f lanes, %.2f passes a request | %s\n",
              s.in->ptx_line, Ull(s.requests), lanes, static_cast<double>(s.passes) / s.requests,
              s.in->text.c_str());
    } else {
      fprintf(stderr,
              "  global line %4d: %8llu requests, %.2f lanes, %.2f sectors a request, %.0f%% of "
              "sector bytes used | %s\n",
              s.in->ptx_line, Ull(s.requests), lanes, static_cast<double>(s.sectors) / s.requests,
              100. * s.bytes / (1. * kSectorBytes * s.sectors), s.in->text.c_str());
    }
  }
}

// Keeps the file valid JSON after every launch: the closing part is overwritten by the next one.
void AppendToFile(const std::string& path, const std::string& launch) {
  static FILE* file = nullptr;
  static std::string open_path;
  static bool first = true;
  const std::string end = "\n]}\n";
  if (path != open_path) {
    if (file) fclose(file);
    file = fopen(path.c_str(), "w");
    open_path = path;
    first = true;
    if (!file) Fatal("cannot write PTXSIM_STATS=%s", path.c_str());
    fprintf(file, "{\"version\": 1, \"launches\": [%s", end.c_str());
  }
  fseek(file, -static_cast<long>(end.size()), SEEK_END);
  fprintf(file, "%s\n%s%s", first ? "" : ",", launch.c_str(), end.c_str());
  fflush(file);
  first = false;
}

}  // namespace

bool StatsEnabled() { return g_forced ? g_forced_on : !CurrentOptions().stats.empty(); }

void SetStats(bool on) {
  g_forced = true;
  g_forced_on = on;
}

void ResetStats() { g_launches.clear(); }

std::string StatsJson() {
  std::string text = "{\"version\": 1, \"launches\": [";
  for (size_t i = 0; i < g_launches.size(); ++i) text += (i ? ",\n" : "\n") + g_launches[i];
  return text + "\n]}\n";
}

void BeginLaunchStats(const Launch&) {
  for (uint64_t base : g_touched) {
    auto it = AllAllocations().find(base);
    if (it != AllAllocations().end()) it->second.counts.reset();
  }
  g_touched.clear();
  g_sites.clear();
  g_loaded = g_stored = g_atomic = 0;
  g_first_instruction = g_instructions;
  BeginPaths();
}

void RecordAccess(Thread& t, const Instruction* in, Allocation* allocation, uint64_t address,
                  int bytes, Access access) {
  bool shared = !allocation;
  if (allocation) {
    if (!allocation->counts) {
      allocation->counts.reset(new ByteCounts);
      g_touched.insert(allocation->base);
    }
    ByteCounts& c = *allocation->counts;
    auto& counts = access == Access::kLoad    ? c.loads
                   : access == Access::kStore ? c.stores
                                              : c.atomics;
    if (counts.empty()) counts.resize(allocation->size);
    for (int i = 0; i < bytes; ++i) counts[address - allocation->base + i]++;
    (access == Access::kLoad ? g_loaded : access == Access::kStore ? g_stored : g_atomic) += bytes;
  }
  // The n-th execution by one lane and by another belong to one request of the warp.
  uint64_t site = static_cast<uint64_t>(in->id) << 1 | shared;
  uint64_t key = site << 32 | t.visits[site]++;
  Request& r = t.block->requests[t.warp][key];
  if (r.lanes.empty()) r.at = in, r.shared = shared, r.access = access, r.width = bytes;
  r.lanes.push_back({t.lane, address});
}

void FoldBlockStats(Block& block) {
  FoldBlockPaths(block);
  for (auto& warp : block.requests) {
    for (auto& entry : warp) {
      const Request& r = entry.second;
      auto found = g_sites.find({r.at->id, r.shared});
      if (found == g_sites.end()) {
        Site site{};
        site.in = r.at, site.shared = r.shared, site.access = r.access, site.width = r.width;
        found = g_sites.insert({{r.at->id, r.shared}, site}).first;
      }
      Site& s = found->second;
      ++s.requests;
      s.lanes += r.lanes.size();
      s.bytes += r.lanes.size() * r.width;
      if (r.shared) {
        s.passes += CountPasses(r);
      } else {
        s.sectors += CountPieces(r, kSectorBytes);
        s.lines += CountPieces(r, kLineBytes);
      }
    }
    warp.clear();
  }
}

void EndLaunchStats(const Launch& launch) {
  if (!StatsEnabled()) return;
  g_launches.push_back(LaunchJson(launch));
  const std::string& to = CurrentOptions().stats;
  bool is_file = to.size() > 5 && to.compare(to.size() - 5, 5, ".json") == 0;
  if (is_file) {
    AppendToFile(to, g_launches.back());
  } else if (!to.empty() && to != "json") {
    PrintText(launch);
  }
}

}  // namespace ptxsim
