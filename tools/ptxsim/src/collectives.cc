// Warp operations (shfl, vote, match, redux, elect, __syncwarp) and barriers. A thread that meets
// one blocks; here it is decided when all that must take part have come.
#include <algorithm>

#include "arithmetic.h"
#include "machine.h"
#include "paths.h"
#include "stats.h"

namespace ptxsim {
namespace {

void CheckOwnLane(Thread& t, const Instruction& in) {
  if (t.mask >> t.lane & 1) return;
  uint32_t mask = t.mask;
  t.mask |= 1u << t.lane;
  Report(t, &in, "lane %u is not in its own mask 0x%08x", t.lane, mask);
}

// Writes "value|predicate", or the value alone.
void WritePair(Thread& t, const Operand& to, uint64_t value, uint64_t predicate) {
  if (to.kind != Operand::kVector) return Write(t, to, value);
  Write(t, to.items[0], value);
  Write(t, to.items[1], predicate);
}

// All lanes of `present` stand at the same instruction with the same mask.
void PerformWarpOp(Thread* lanes, uint32_t present) {
  const Instruction& in = *lanes[__builtin_ctz(present)].at;
  auto here = [&](uint32_t lane) { return lane < kWarpSize && (present >> lane & 1); };

  uint64_t value[kWarpSize] = {};
  uint64_t reduced = 0;
  uint32_t ballot = 0;
  bool first = true, all_equal = true;
  uint64_t first_value = 0;
  bool has_value = in.op == Opcode::kShfl || in.op == Opcode::kMatch || in.op == Opcode::kRedux ||
                   in.op == Opcode::kVote;
  for (uint32_t l = 0; l < kWarpSize; ++l) {
    if (!here(l)) continue;
    if (has_value) value[l] = Read(lanes[l], in.args[1]);
    if (in.op == Opcode::kMatch) value[l] &= MaskOf(in.type);
    if (in.op == Opcode::kVote && value[l]) ballot |= 1u << l;
    if (first) {
      first_value = reduced = value[l];
      first = false;
    } else {
      if (value[l] != first_value) all_equal = false;
      if (in.op == Opcode::kRedux) reduced = ReduceOp(in, in.type, reduced, value[l], 0);
    }
  }

  for (uint32_t l = 0; l < kWarpSize; ++l) {
    if (!here(l)) continue;
    Thread& t = lanes[l];
    switch (in.op) {
      case Opcode::kShfl: {
        int by = Read(t, in.args[2]) & 31, control = Read(t, in.args[3]);
        int segment = control >> 8 & 31, clamp = control & 31, lane = l;
        int low = lane & segment, high = low | (clamp & ~segment);
        int source;
        bool in_range;
        switch (in.mode) {
          case Mode::kUp:
            source = lane - by;
            in_range = source >= high;
            break;
          case Mode::kDown:
            source = lane + by;
            in_range = source <= high;
            break;
          case Mode::kButterfly:
            source = lane ^ by;
            in_range = source <= high;
            break;
          default:
            source = low | (by & ~segment);
            in_range = source <= high;
        }
        if (!in_range) source = lane;
        // A lane that isn't there gives a value nobody should use.
        uint64_t got = here(source) ? value[source] & 0xffffffff : 0xffffffff;
        WritePair(t, in.args[0], got, in_range);
        break;
      }
      case Opcode::kVote: {
        bool none_or_all = ballot == present || !ballot;
        Write(t, in.args[0],
              in.mode == Mode::kBallot ? ballot
              : in.mode == Mode::kAny  ? ballot != 0
              : in.mode == Mode::kAll  ? ballot == present
                                       : none_or_all);
        break;
      }
      case Opcode::kRedux:
        Write(t, in.args[0], reduced & MaskOf(in.type));
        break;
      case Opcode::kMatch: {
        uint32_t same = 0;
        for (uint32_t k = 0; k < kWarpSize; ++k) {
          if (here(k) && value[k] == value[l]) same |= 1u << k;
        }
        if (in.mode == Mode::kAll) same = all_equal ? present : 0;
        WritePair(t, in.args[0], same, all_equal);
        break;
      }
      case Opcode::kElect: {
        uint32_t leader = __builtin_ctz(present);
        if (in.args[0].kind == Operand::kVector) WritePair(t, in.args[0], leader, l == leader);
        break;
      }
      default:  // bar.warp.sync
        ++t.warp_epoch;
        break;
    }
    ++t.frame().pc;
    t.state = ThreadState::kReady;
  }
}

}  // namespace

void BeginCollective(Thread& t, const Instruction& in) {
  size_t n = in.args.size();
  bool is_barrier = in.op == Opcode::kBar || in.op == Opcode::kBarrier;
  if (!is_barrier || in.mode == Mode::kWarp) {
    t.mask = n ? static_cast<uint32_t>(Read(t, in.args[is_barrier ? 0 : n - 1])) : kAllLanes;
    t.state = ThreadState::kAtWarpOp;
    CheckOwnLane(t, in);
    return;
  }
  if (in.mode == Mode::kReduce) {
    bool has_count = n > 3;
    t.barrier_id = Read(t, in.args[1]) & 15;
    t.barrier_count = has_count ? static_cast<int>(Read(t, in.args[2])) : 0;
    t.barrier_value = Read(t, in.args[has_count ? 3 : 2]);
  } else {
    t.barrier_id = n ? Read(t, in.args[0]) & 15 : 0;
    t.barrier_count = n > 1 ? static_cast<int>(Read(t, in.args[1])) : 0;
  }
  if (in.mode == Mode::kArrive) {
    ++t.block->arrived[t.barrier_id];
    ++t.frame().pc;
  } else {
    t.state = ThreadState::kAtBarrier;
  }
}

bool CompleteWarpOps(Block& block, uint32_t warp) {
  bool any = false;
  uint32_t begin = warp * kWarpSize;
  uint32_t end = std::min<uint32_t>(begin + kWarpSize, block.threads.size());
  for (uint32_t i = begin; i < end; ++i) {
    Thread& t = block.threads[i];
    if (t.state != ThreadState::kAtWarpOp) continue;
    uint32_t present = 0;
    bool complete = true;
    for (uint32_t l = 0; l < kWarpSize && begin + l < end && complete; ++l) {
      if (!(t.mask >> l & 1)) continue;
      Thread& other = block.threads[begin + l];
      if (other.state == ThreadState::kDone) {
        if (CurrentOptions().strict_masks) {
          Report(t, t.at, "mask 0x%08x names lane %u, which has ended", t.mask, l);
        }
      } else if (other.state == ThreadState::kAtWarpOp && other.at == t.at &&
                 other.mask == t.mask) {
        present |= 1u << l;
      } else {
        complete = false;
      }
    }
    if (!complete) continue;
    PerformWarpOp(&block.threads[begin], present);
    any = true;
  }
  return any;
}

bool CompleteBarriers(Block& block) {
  bool any = false;
  for (int id = 0; id < 16; ++id) {
    auto waits = [&](const Thread& t) {
      return t.state == ThreadState::kAtBarrier && t.barrier_id == id;
    };
    int waiting = 0, alive = 0, wanted = 0, true_values = 0;
    for (const Thread& t : block.threads) {
      if (t.state != ThreadState::kDone) ++alive;
      if (!waits(t)) continue;
      ++waiting;
      wanted = std::max(wanted, t.barrier_count);
      true_values += t.barrier_value != 0;
    }
    if (!waiting || waiting + block.arrived[id] < (wanted ? wanted : alive)) continue;

    for (size_t i = 0; i + 1 < block.threads.size(); ++i) {
      Thread &a = block.threads[i], &b = block.threads[i + 1];
      if (a.warp == b.warp && waits(a) && waits(b) && a.at != b.at) {
        Report(b, b.at,
               "threads of one warp meet barrier %d at different places (other: PTX line %d)", id,
               a.at->ptx_line);
        break;
      }
    }
    for (Thread& t : block.threads) {
      if (!waits(t)) continue;
      if (t.at->mode == Mode::kReduce) {
        uint64_t r = t.at->reduce == kPopc  ? true_values
                     : t.at->reduce == kAnd ? true_values == waiting
                                            : true_values != 0;
        Write(t, t.at->args[0], r);
      }
      ++t.frame().pc;
      t.state = ThreadState::kReady;
    }
    block.arrived[id] = 0;
    ++block.epoch;
    if (waiting == alive && StatsEnabled()) EndInterval(block);
    any = true;
  }
  return any;
}

}  // namespace ptxsim
