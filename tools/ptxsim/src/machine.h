// The state of a running kernel: a launch has blocks, a block has threads, a thread has frames.
// Threads run one by one until they block; collectives.cc decides when a blocked one may go on.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_MACHINE_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_MACHINE_H_

#include <vector_types.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory.h"
#include "options.h"
#include "ptx.h"

namespace ptxsim {

enum class ThreadState : uint8_t { kReady, kAtBarrier, kAtWarpOp, kDone };

struct Frame {
  const Function* function = nullptr;
  int pc = 0;
  std::vector<uint64_t> registers;
  std::vector<uint8_t> params, locals;
  const Instruction* call = nullptr;  // in the caller
  uint32_t* executed = nullptr;       // what Thread::executed has of the function
};

// A cp.async that was issued and has not landed.
struct AsyncCopy {
  uint32_t shared_offset;
  uint64_t source;
  int bytes, total;  // the rest up to total becomes zero
  const Instruction* at;
};

// What a thread has executed since the last barrier of its block; only for statistics.
struct Interval {
  uint64_t work = 0;  // instructions by their weight
  // Those that it had not executed before: how often it has by now, and their weight.
  std::vector<std::pair<const uint32_t*, uint32_t>> first;
};

struct Block;

struct Thread {
  Block* block = nullptr;
  uint32_t tid[3];
  uint32_t index, lane, warp;
  ThreadState state = ThreadState::kReady;
  std::vector<std::unique_ptr<Frame>> frames;
  const Instruction* at = nullptr;  // the last instruction begun
  uint32_t mask = 0;                // of the warp operation it waits at
  uint32_t warp_epoch = 0;          // number of __syncwarp passed
  int barrier_id = 0, barrier_count = 0;
  uint64_t barrier_value = 0;  // operand of bar.red
  bool carry = false;
  int slice = 0;                      // instructions it may still run before its block gives way
  std::vector<AsyncCopy> async_open;  // not committed yet
  std::vector<std::vector<AsyncCopy>> async_groups;  // committed, oldest first
  // Only for statistics: executions of each access to memory, and of every instruction.
  std::unordered_map<uint64_t, uint32_t> visits;
  std::unordered_map<const Function*, std::vector<uint32_t>> executed;
  Interval interval;

  Frame& frame() { return *frames.back(); }
};

enum SharedState : uint8_t { kOutside, kUnwritten, kWritten, kInFlight };

// What is known of one byte of shared memory, for the race check. Epochs count the barriers of the
// block; threads are stored plus one, 0 being nobody.
struct SharedByte {
  uint32_t write_epoch = ~0u, writer = 0, writer_warp_epoch = 0;
  uint32_t read_epoch = ~0u, reader = 0, reader_warp = 0, reader_warp_epoch = 0;
  SharedState state = kOutside;
};

// One execution of a memory instruction by one warp; only for statistics.
struct Request {
  const Instruction* at;
  bool shared;
  Access access;
  int width;
  std::vector<std::pair<uint32_t, uint64_t>> lanes;  // lane, address
};

struct Launch {
  Module* module = nullptr;
  const Function* kernel = nullptr;
  dim3 grid, block_dim;
  int dynamic_smem = 0, dynamic_base = 0;
  std::vector<uint8_t> params;
  uint64_t grid_workspace = 0;  // what cooperative groups keep their grid barrier in
  bool fenced = false;          // the kernel orders global memory between blocks by itself
};

struct Block {
  Launch* launch = nullptr;
  uint32_t id[3];
  uint32_t index;
  std::vector<Thread> threads;
  std::vector<uint8_t> shared;
  std::vector<SharedByte> shared_state;
  uint32_t epoch = 0;
  int arrived[16] = {0};
  std::vector<std::unordered_map<uint64_t, Request>> requests;  // per warp
  std::vector<Interval> longest;  // of each interval, the thread's that has most work
};

extern uint64_t g_instructions;  // executed by all threads since the start

// --- report.cc ---
// "kernel k block (0,0,0) thread (3,0,0) PTX line 12: ..." and the source line.
std::string Where(const Thread& thread, const Instruction* in);
// A fault of the program: ends the launch, or goes on once it is told (PTXSIM_KEEP_GOING).
void Report(const Thread& thread, const Instruction* in, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
// Faults reported with PTXSIM_KEEP_GOING since the last call, and their text.
int TakeReports(std::string* text);

// --- memory_access.cc ---
// The host address of a checked access; after a reported fault, of a scratch area.
uint8_t* Resolve(Thread& thread, const Instruction* in, Space space, uint64_t address, int bytes,
                 Access access);
void IssueAsyncCopy(Thread& thread, const Instruction* in, uint64_t destination, uint64_t source,
                    int bytes, int total);
void CommitAsyncGroup(Thread& thread);
void WaitAsyncGroups(Thread& thread, size_t may_remain);
void ResetGlobalRaces();

// --- interpreter.cc ---
uint64_t ReadSpecial(Thread& thread, int which);

// Address of a symbol, in its state space.
inline uint64_t SymbolAddress(Thread& t, const Operand& o) {
  switch (o.space) {
    case kShared:
      return o.imm >= kDynamicShared ? t.block->launch->dynamic_base + (o.imm & kSharedOffsetMask)
                                     : o.imm;
    case kLocal:
    case kParam:
      return (static_cast<uint64_t>(t.frames.size() - 1) << 32) + o.imm;
    default:
      return o.imm;
  }
}

inline uint64_t Read(Thread& t, const Operand& o) {
  switch (o.kind) {
    case Operand::kRegister: {
      uint64_t value = t.frame().registers[o.reg];
      return o.negated ? !value : value;
    }
    case Operand::kImmediate:
      return o.imm;
    case Operand::kSpecial:
      return ReadSpecial(t, o.reg);
    case Operand::kAddress:
      return o.reg >= 0 ? t.frame().registers[o.reg] + o.imm : SymbolAddress(t, o);
    case Operand::kSymbol:
      return (o.imm & kTagMask) == kTagFunction ? o.imm : SymbolAddress(t, o);
    default:
      return 0;
  }
}

inline void Write(Thread& t, const Operand& o, uint64_t value) {
  if (o.kind == Operand::kRegister) t.frame().registers[o.reg] = value;
}

// Runs one thread until it blocks, ends or has used its slice.
void RunThread(Thread& thread);

// --- collectives.cc ---
// Begins a warp operation or barrier: the thread blocks, or passes (bar.arrive).
void BeginCollective(Thread& thread, const Instruction& in);
// Let threads go on whose warp operation or barrier is complete; true if any did.
bool CompleteWarpOps(Block& block, uint32_t warp);
bool CompleteBarriers(Block& block);

// --- scheduler.cc ---
void RunKernel(Module* module, const Function* kernel, dim3 grid, dim3 block, int dynamic_smem,
               void** args);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_MACHINE_H_
