// One streaming multiprocessor in the steady state of one loop: warps go round a trace of SASS
// instructions with the control codes the assembler gave them (stall count, scoreboards), four
// schedulers issue one instruction a clock each, pipes are held for as long as their rate says, and
// DRAM is a latency and a bandwidth. What is read and written: see main.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

namespace {

constexpr int kSchedulers = 4;
constexpr int kBarriers = 6;
constexpr int kSourceReadClocks = 15;   // until a memory instruction has read its registers
constexpr int kCopyIssueClocks = 30;    // what LDGSTS takes beyond the latency of a load
constexpr int kStoreQueueClocks = 400;  // how far stores run ahead of the memory they go to
constexpr int kBlockBarrierClocks = 20;
constexpr int kStartSpread = 400;  // warps do not start in step
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostClocks = 30'000'000;

enum Kind { kPlain, kLoad, kStore, kAsyncCopy, kCommit, kWaitGroups, kBlockBarrier };

struct Op {
  std::vector<int> units;
  bool takes_all_units;  // or any one of them
  int hold, latency;     // clocks of a unit; clocks until the result is there
  int stall, write_barrier, read_barrier, wait_mask;
  Kind kind;
  int bytes;  // of DRAM traffic by the warp
  int groups;
};

struct Unit {
  std::string name;
  bool is_shared;  // one for the four schedulers
  int64_t free[kSchedulers] = {};
  int64_t held = 0;
};

struct Run {
  int warps, warps_per_block, iterations, latency;
  double bytes_per_clock;
};

struct Warp {
  size_t next = 0;
  int iteration = 0;
  int64_t may_issue = 0;  // what the warp itself waits for; pipes come on top
  int64_t barrier[kBarriers] = {};
  int64_t copies_done = 0;  // of the group that is open
  std::vector<int64_t> groups;
  std::vector<int64_t> loads;  // when each ends
};

class Simulation {
 public:
  Simulation(const std::vector<Op>& trace, std::vector<Unit> units, const Run& run)
      : trace_(trace), units_(std::move(units)), run_(run), warps_(run.warps) {
    uint32_t seed = 1;
    for (Warp& warp : warps_) {
      seed = seed * 1664525 + 1013904223;
      warp.may_issue = (seed >> 16) % kStartSpread;
    }
    arrived_.resize((run.warps + run.warps_per_block - 1) / run.warps_per_block);
  }

  void Go() {
    while (now_ < kMostClocks && !is_done_) {
      bool issued = false;
      const int first = first_;
      for (int s = 0; s < kSchedulers; ++s) issued |= IssueOne((first + s) % kSchedulers);
      now_ = issued ? now_ + 1 : NextEvent();
      if (now_ == kNever) break;
    }
  }

  void Print() const {
    const double clocks = is_done_ ? static_cast<double>(now_ - start_) : 0;
    if (clocks <= 0) {
      std::puts("error no steady state");
      return;
    }
    std::printf("%.4f %.4f %zu", (bytes_ - start_bytes_) / clocks,
                (issued_ - start_issued_) / clocks / kSchedulers, most_loads_);
    for (size_t u = 0; u < units_.size(); ++u) {
      const int copies = units_[u].is_shared ? 1 : kSchedulers;
      std::printf(" %s=%.4f", units_[u].name.c_str(),
                  (units_[u].held - start_held_[u]) / clocks / copies);
    }
    std::puts("");
  }

 private:
  int64_t UnitsFree(const Op& op, int scheduler, int* unit) const {
    int64_t when = op.takes_all_units || op.units.empty() ? 0 : kNever;
    for (int u : op.units) {
      const int64_t free = units_[u].free[units_[u].is_shared ? 0 : scheduler];
      if (op.takes_all_units) {
        when = std::max(when, free);
      } else if (free < when) {
        when = free;
        *unit = u;
      }
    }
    return when;
  }

  // Stays with a warp while it can, then takes the next one in turn.
  bool IssueOne(int scheduler) {
    const int count = (run_.warps - scheduler + kSchedulers - 1) / kSchedulers;
    for (int k = 0; k < count; ++k) {
      const int turn = (last_[scheduler] + k) % count;
      const int w = scheduler + kSchedulers * turn;
      if (warps_[w].may_issue > now_) continue;
      int unit = -1;
      if (UnitsFree(trace_[warps_[w].next], scheduler, &unit) > now_) continue;
      Issue(w, scheduler, unit);
      last_[scheduler] = turn;
      return true;
    }
    return false;
  }

  void Hold(int u, int scheduler, int clocks) {
    // What the schedulers share goes round.
    if (units_[u].is_shared) first_ = (scheduler + 1) % kSchedulers;
    units_[u].free[units_[u].is_shared ? 0 : scheduler] = now_ + clocks;
    units_[u].held += clocks;
  }

  void Issue(int w, int scheduler, int unit) {
    Warp& warp = warps_[w];
    const Op& op = trace_[warp.next];
    if (op.takes_all_units) {
      for (int u : op.units) Hold(u, scheduler, op.hold);
    } else if (unit >= 0) {
      Hold(unit, scheduler, op.hold);
    }
    int64_t result = now_ + op.latency;
    int64_t source_free = now_ + kSourceReadClocks;
    if (op.bytes > 0) {
      memory_free_ = std::max<double>(memory_free_, now_) + op.bytes / run_.bytes_per_clock;
      bytes_ += op.bytes;
    }
    const auto memory_free = static_cast<int64_t>(memory_free_);
    const int64_t arrival = std::max(memory_free, now_) + run_.latency;
    if (op.kind == kLoad) {
      result = arrival;
      Track(&warp, arrival);
    } else if (op.kind == kAsyncCopy) {
      warp.copies_done = std::max(warp.copies_done, arrival + kCopyIssueClocks);
      Track(&warp, arrival + kCopyIssueClocks);
      result = source_free;
    } else if (op.kind == kStore) {
      result = source_free = std::max(now_ + kSourceReadClocks, memory_free - kStoreQueueClocks);
    } else if (op.kind == kCommit) {
      warp.groups.push_back(warp.copies_done);
      warp.copies_done = 0;
    } else if (op.kind == kWaitGroups && warp.groups.size() > static_cast<size_t>(op.groups)) {
      warp.groups.erase(warp.groups.begin(), warp.groups.end() - op.groups);
    }
    if (op.write_barrier < kBarriers) Raise(&warp.barrier[op.write_barrier], result);
    if (op.read_barrier < kBarriers) Raise(&warp.barrier[op.read_barrier], source_free);
    ++issued_;
    if (++warp.next == trace_.size()) {
      warp.next = 0;
      ++warp.iteration;
      CheckProgress();
    }
    warp.may_issue = WarpReady(warp, now_ + std::max(1, op.stall));
    if (op.kind == kBlockBarrier) MeetBlock(w);
  }

  static void Raise(int64_t* value, int64_t to) { *value = std::max(*value, to); }

  void Track(Warp* warp, int64_t end) {
    auto& loads = warp->loads;
    loads.erase(std::remove_if(loads.begin(), loads.end(), [&](int64_t e) { return e <= now_; }),
                loads.end());
    loads.push_back(end);
    most_loads_ = std::max(most_loads_, loads.size());
  }

  int64_t WarpReady(const Warp& warp, int64_t when) const {
    const Op& op = trace_[warp.next];
    for (int b = 0; b < kBarriers; ++b) {
      if (op.wait_mask >> b & 1) when = std::max(when, warp.barrier[b]);
    }
    if (op.kind == kWaitGroups) {
      for (size_t g = 0; g + op.groups < warp.groups.size(); ++g) {
        when = std::max(when, warp.groups[g]);
      }
    }
    return when;
  }

  // The last warp of a block to arrive lets all of them go.
  void MeetBlock(int w) {
    const int block = w / run_.warps_per_block;
    const int first = block * run_.warps_per_block;
    const int last = std::min(first + run_.warps_per_block, run_.warps);
    warps_[w].may_issue = kNever;
    if (++arrived_[block] < last - first) return;
    arrived_[block] = 0;
    for (int i = first; i < last; ++i) {
      warps_[i].may_issue = WarpReady(warps_[i], now_ + kBlockBarrierClocks);
    }
  }

  // Measures from when the slowest warp is through a quarter of its iterations.
  void CheckProgress() {
    int slowest = warps_[0].iteration;
    for (const Warp& warp : warps_) slowest = std::min(slowest, warp.iteration);
    if (start_ < 0 && slowest >= run_.iterations / 4) {
      start_ = now_;
      start_bytes_ = bytes_;
      start_issued_ = issued_;
      for (const Unit& unit : units_) start_held_.push_back(unit.held);
    }
    is_done_ = slowest >= run_.iterations;
  }

  int64_t NextEvent() const {
    int64_t when = kNever;
    for (int w = 0; w < run_.warps; ++w) {
      if (warps_[w].may_issue == kNever) continue;
      int unit;
      when = std::min(when, std::max(warps_[w].may_issue,
                                     UnitsFree(trace_[warps_[w].next], w % kSchedulers, &unit)));
    }
    return when == kNever ? kNever : std::max(when, now_ + 1);
  }

  const std::vector<Op>& trace_;
  std::vector<Unit> units_;
  const Run run_;
  std::vector<Warp> warps_;
  std::vector<int> arrived_;
  int last_[kSchedulers] = {};
  int first_ = 0;
  int64_t now_ = 0, start_ = -1;
  double memory_free_ = 0;
  int64_t bytes_ = 0, issued_ = 0, start_bytes_ = 0, start_issued_ = 0;
  std::vector<int64_t> start_held_;
  size_t most_loads_ = 0;
  bool is_done_ = false;
};

}  // namespace

// Reads "unit NAME IS_SHARED", "op HOLD LATENCY STALL WRITE READ WAIT KIND BYTES GROUPS ALL
// UNITS..." (UNITS by number, ended by -1), and "run WARPS WARPS_PER_BLOCK BYTES_PER_CLOCK LATENCY
// ITERATIONS". Prints for each run: bytes per clock, issue slots used, most loads of a warp in
// flight, and the share of the time that each unit is held.
int main() {
  std::vector<Unit> units;
  std::vector<Op> trace;
  std::string what;
  while (std::cin >> what) {
    if (what == "unit") {
      Unit unit;
      std::cin >> unit.name >> unit.is_shared;
      units.push_back(unit);
    } else if (what == "op") {
      Op op;
      int kind;
      std::cin >> op.hold >> op.latency >> op.stall >> op.write_barrier >> op.read_barrier >>
          op.wait_mask >> kind >> op.bytes >> op.groups >> op.takes_all_units;
      op.kind = static_cast<Kind>(kind);
      for (int u; std::cin >> u && u >= 0;) op.units.push_back(u);
      trace.push_back(op);
    } else if (what == "run") {
      Run run;
      std::cin >> run.warps >> run.warps_per_block >> run.bytes_per_clock >> run.latency >>
          run.iterations;
      Simulation simulation(trace, units, run);
      simulation.Go();
      simulation.Print();
    }
  }
}
