// Executes the instructions of one thread: the loop, floats, memory and special registers. Other
// groups of instructions have a file each.
#include <algorithm>
#include <cstring>

#include "instructions.h"
#include "paths.h"
#include "stats.h"

namespace ptxsim {

uint64_t g_instructions = 0;

namespace {

// Accesses that other blocks may be polled with cost extra, so that a spinning thread gives way
// soon and its block makes room for the one it waits for.
constexpr int kPollCost = 1000;

// The i-th register of "{%f1, %f2}" or of a single one.
const Operand& Item(const Operand& o, int i) { return o.kind == Operand::kVector ? o.items[i] : o; }

void ExecAtomic(const Context& c) {
  const Instruction& in = c.in;
  int first = in.op == Opcode::kAtom ? 1 : 0;  // red has no result
  int size = SizeOf(c.type);
  uint8_t* p = Resolve(c.t, &in, in.space, c.Arg(first), size * in.vector, Access::kAtomic);
  uint64_t swap = c.args() > static_cast<size_t>(first) + 2 ? c.Arg(first + 2) : 0;
  for (int i = 0; i < in.vector; i++, p += size) {
    uint64_t old = 0;
    std::memcpy(&old, p, size);
    uint64_t value = ReduceOp(in, c.type, old, Read(c.t, Item(in.args[first + 1], i)), swap);
    std::memcpy(p, &value, size);
    if (first) Write(c.t, Item(in.args[0], i), old);
  }
}

}  // namespace

void ExecFloat(const Context& c) {
  const Instruction& in = c.in;
  bool packed = c.type == kF16x2 || c.type == kBf16x2;
  uint64_t sign = packed ? 0x80008000 : 1ull << (c.bits - 1);
  if (c.args() == 4 && (in.op == Opcode::kMin || in.op == Opcode::kMax)) {
    c.Set(FloatOp(in, FloatOp(in, c.Arg(1), c.Arg(2), 0), c.Arg(3), 0));
  } else if (in.op == Opcode::kNeg && (packed || !in.ftz)) {
    c.Set(c.Arg(1) ^ sign);  // NaNs keep their bits
  } else if (in.op == Opcode::kAbs && (packed || !in.ftz)) {
    c.Set(c.Arg(1) & ~sign);
  } else {
    c.Set(FloatOp(in, c.Arg(1), c.args() > 2 ? c.Arg(2) : 0, c.args() > 3 ? c.Arg(3) : 0));
  }
}

void ExecMemory(const Context& c) {
  const Instruction& in = c.in;
  int size = SizeOf(c.type), total = size * in.vector;
  switch (in.op) {
    case Opcode::kLd:
    case Opcode::kLdu: {
      const uint8_t* p = Resolve(c.t, &in, in.space, c.Arg(1), total, Access::kLoad);
      for (int i = 0; i < in.vector; ++i) {
        uint64_t value = 0;
        std::memcpy(&value, p + i * size, size);
        if (IsSigned(c.type)) value = Extend(value, c.type);
        Write(c.t, Item(in.args[0], i), value);
      }
      break;
    }
    case Opcode::kSt: {
      uint8_t* p = Resolve(c.t, &in, in.space, c.Arg(0), total, Access::kStore);
      for (int i = 0; i < in.vector; ++i) {
        uint64_t value = Read(c.t, Item(in.args[1], i));
        std::memcpy(p + i * size, &value, size);
      }
      break;
    }
    case Opcode::kAtom:
    case Opcode::kRed:
      ExecAtomic(c);
      break;
    case Opcode::kCp:
      if (in.mode == Mode::kCommitGroup) {
        CommitAsyncGroup(c.t);
      } else if (in.mode == Mode::kWaitGroup) {
        WaitAsyncGroups(c.t, c.Arg(0));
      } else if (in.mode == Mode::kWaitAll) {
        CommitAsyncGroup(c.t);
        WaitAsyncGroups(c.t, 0);
      } else {
        int bytes = c.Arg(2);
        IssueAsyncCopy(c.t, &in, c.Arg(0), c.Arg(1),
                       c.args() > 3 ? std::min<int>(c.Arg(3), bytes) : bytes, bytes);
      }
      break;
    default:
      break;
  }
}

uint64_t ReadSpecial(Thread& t, int which) {
  const Launch& launch = *t.block->launch;
  uint32_t lane = t.lane;
  switch (which) {
    case kSrTidX:
    case kSrTidY:
    case kSrTidZ:
      return t.tid[which - kSrTidX];
    case kSrNtidX:
      return launch.block_dim.x;
    case kSrNtidY:
      return launch.block_dim.y;
    case kSrNtidZ:
      return launch.block_dim.z;
    case kSrCtaidX:
    case kSrCtaidY:
    case kSrCtaidZ:
      return t.block->id[which - kSrCtaidX];
    case kSrNctaidX:
      return launch.grid.x;
    case kSrNctaidY:
      return launch.grid.y;
    case kSrNctaidZ:
      return launch.grid.z;
    case kSrLaneId:
      return lane;
    case kSrWarpId:
      return t.warp;
    case kSrNWarpId:
      return (t.block->threads.size() + kWarpSize - 1) / kWarpSize;
    case kSrSmId:
      return t.block->index % CurrentOptions().sm_count;
    case kSrNSmId:
      return CurrentOptions().sm_count;
    case kSrGridId:
      return 1;
    case kSrMaskEq:
      return 1u << lane;
    case kSrMaskLe:
      return static_cast<uint32_t>((2ull << lane) - 1);
    case kSrMaskLt:
      return (1u << lane) - 1;
    case kSrMaskGe:
      return static_cast<uint32_t>(~0u << lane);
    case kSrMaskGt:
      return lane == 31 ? 0 : static_cast<uint32_t>(~0u << (lane + 1));
    case kSrClock:
    case kSrClock64:
    case kSrGlobalTimer:
    case kSrGlobalTimerLo:
      return g_instructions;
    case kSrEnvReg1:
      return launch.grid_workspace >> 32;
    case kSrEnvReg2:
      return static_cast<uint32_t>(launch.grid_workspace);
    case kSrDynamicSmem:
      return launch.dynamic_smem;
    case kSrTotalSmem:
      return launch.kernel->shared_used + launch.dynamic_smem;
    case kSrClusterSize:
    case kSrClusterNctaidX:
      return 1;
    default:
      return 0;
  }
}

void RunThread(Thread& t) {
  const bool counts = StatsEnabled();
  while (t.slice-- > 0 && t.state == ThreadState::kReady) {
    Frame& frame = t.frame();
    const Instruction& in = frame.function->code[frame.pc];
    ++g_instructions;
    if (counts) RecordInstruction(t, frame, in);
    t.at = &in;
    if (in.predicate >= 0 && !frame.registers[in.predicate] != in.predicate_negated) {
      ++frame.pc;
      continue;
    }
    Context c(t, in);
    switch (in.group) {
      case Group::kFloat:
        ExecFloat(c);
        break;
      case Group::kInteger:
        ExecInteger(c);
        break;
      case Group::kBits:
        ExecBits(c);
        break;
      case Group::kCompareMove:
        ExecCompareMove(c);
        break;
      case Group::kMemory:
        ExecMemory(c);
        if (in.strong || in.op == Opcode::kAtom) t.slice -= kPollCost;
        break;
      case Group::kControl:
        ExecControl(c);
        continue;
      case Group::kCollective:
        BeginCollective(t, in);
        continue;
    }
    ++frame.pc;
  }
}

}  // namespace ptxsim
