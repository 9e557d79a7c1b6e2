// Which thread and which block runs next. Blocks run one after the other; when none of the resident
// ones can finish in its slice (it may wait for a later block), one more becomes resident.
#include <algorithm>
#include <cstring>
#include <random>

#include "machine.h"
#include "stats.h"

namespace ptxsim {
namespace {

constexpr int kSlice = 100000;      // instructions of a thread before it gives way
constexpr int kSharedAlign = 1024;  // of the dynamic shared memory

template <typename T>
void PutInOrder(std::vector<T>* items) {
  static std::mt19937 random(1);
  static uint32_t seed = 1;
  if (CurrentOptions().seed != seed) random.seed(seed = CurrentOptions().seed);
  if (CurrentOptions().order == Order::kReverse) std::reverse(items->begin(), items->end());
  if (CurrentOptions().order == Order::kRandom) std::shuffle(items->begin(), items->end(), random);
}

template <typename T>
std::vector<T> Sequence(size_t n) {
  std::vector<T> items(n);
  for (size_t i = 0; i < n; ++i) items[i] = i;
  PutInOrder(&items);
  return items;
}

[[noreturn]] void Deadlock(const Block& block) {
  constexpr int kShown = 6;
  std::string text;
  int count = 0;
  for (const Thread& t : block.threads) {
    if (t.state == ThreadState::kDone || count++ >= kShown) continue;
    const char* what = t.state == ThreadState::kAtBarrier ? "barrier" : "warp op";
    text += Format("\n    (%s mask %08x) ", what, t.mask) + Where(t, t.at);
  }
  Fatal("DEADLOCK: no thread of the block can go on:%s", text.c_str());
}

// True when every thread is done, false when the block has used its slice.
bool RunBlock(Block& block) {
  std::vector<uint32_t> order = Sequence<uint32_t>(block.threads.size());
  uint32_t warps = (block.threads.size() + kWarpSize - 1) / kWarpSize;
  // The slice spans warp operations: a warp that polls with a vote in its loop has to give way too.
  for (Thread& t : block.threads) t.slice = kSlice;
  for (;;) {
    bool out_of_slice = false;
    for (uint32_t i : order) {
      Thread& t = block.threads[i];
      if (t.state != ThreadState::kReady) continue;
      RunThread(t);
      if (t.state == ThreadState::kReady) out_of_slice = true;
    }
    bool progress = false;
    for (uint32_t w = 0; w < warps; ++w) progress |= CompleteWarpOps(block, w);
    progress |= CompleteBarriers(block);
    bool alive = std::any_of(block.threads.begin(), block.threads.end(),
                             [](const Thread& t) { return t.state != ThreadState::kDone; });
    if (!alive) return true;
    if (out_of_slice) return false;
    if (!progress) Deadlock(block);
  }
}

std::unique_ptr<Block> MakeBlock(Launch* launch, uint64_t index) {
  const Function& kernel = *launch->kernel;
  const Module& module = *launch->module;
  dim3 grid = launch->grid, dim = launch->block_dim;
  std::unique_ptr<Block> block(new Block);
  block->launch = launch;
  block->index = index;
  block->id[0] = index % grid.x;
  block->id[1] = index / grid.x % grid.y;
  block->id[2] = index / grid.x / grid.y;

  bool has_shared = launch->dynamic_smem || kernel.shared_size || module.shared_size;
  block->shared.assign(has_shared ? launch->dynamic_base + launch->dynamic_smem : 0, 0xFF);
  block->shared_state.resize(block->shared.size());
  auto declare = [&](int offset, int bytes) {
    for (int i = 0; i < bytes; ++i) block->shared_state[offset + i].state = kUnwritten;
  };
  for (const Extent& v : module.shared_vars) declare(v.first, v.second);
  for (const Extent& v : kernel.shared_vars) declare(module.shared_size + v.first, v.second);
  declare(launch->dynamic_base, launch->dynamic_smem);

  uint32_t threads = dim.x * dim.y * dim.z;
  block->requests.resize((threads + kWarpSize - 1) / kWarpSize);
  block->threads.resize(threads);
  for (uint32_t i = 0; i < threads; ++i) {
    Thread& t = block->threads[i];
    t.block = block.get();
    t.index = i;
    t.lane = i % kWarpSize;
    t.warp = i / kWarpSize;
    t.tid[0] = i % dim.x;
    t.tid[1] = i / dim.x % dim.y;
    t.tid[2] = i / dim.x / dim.y;
    std::unique_ptr<Frame> frame(new Frame);
    frame->function = &kernel;
    frame->registers.resize(kernel.registers);
    frame->params = launch->params;
    frame->locals.assign(kernel.local_size, 0xFF);
    t.frames.push_back(std::move(frame));
  }
  return block;
}

// Whether the kernel uses fences or acquire/release beyond its block: then the global race check
// can't tell ordered accesses of two blocks from unordered ones and leaves them alone.
bool OrdersBlocks(const Function& kernel) {
  auto has = [](const Instruction& in, const char* word) {
    return in.text.find(word) != std::string::npos;
  };
  for (const Instruction& in : kernel.code) {
    if (has(in, "acquire") || has(in, "release") || has(in, "acq_rel")) return true;
    bool fence = in.op == Opcode::kMembar || in.op == Opcode::kFence;
    if (fence && (has(in, ".gl") || has(in, "gpu") || has(in, "sys"))) return true;
  }
  return false;
}

}  // namespace

void RunKernel(Module* module, const Function* kernel, dim3 grid, dim3 block, int dynamic_smem,
               void** args) {
  uint32_t threads = block.x * block.y * block.z;
  if (kernel->max_threads && static_cast<int>(threads) > kernel->max_threads) {
    Fatal("%u threads for %s, launch bounds %d", threads, kernel->name.c_str(),
          kernel->max_threads);
  }
  Launch launch;
  launch.module = module;
  launch.kernel = kernel;
  launch.grid = grid;
  launch.block_dim = block;
  launch.dynamic_smem = dynamic_smem;
  int static_size = module->shared_size + kernel->shared_size;
  if (static_size) {
    launch.dynamic_base = (static_size + 128 + kSharedAlign - 1) / kSharedAlign * kSharedAlign;
  }
  launch.params.resize(kernel->param_size);
  for (size_t i = 0; i < kernel->params.size(); ++i) {
    std::memcpy(&launch.params[kernel->params[i].offset], args[i], kernel->params[i].size);
  }
  static void* workspace = AllocateGlobal(64, "grid workspace");
  std::memset(workspace, 0, 64);
  launch.grid_workspace = reinterpret_cast<uint64_t>(workspace);
  launch.fenced = OrdersBlocks(*kernel);
  ResetGlobalRaces();
  BeginLaunchStats(launch);

  uint64_t count = static_cast<uint64_t>(grid.x) * grid.y * grid.z, next = 0;
  std::vector<uint64_t> order = Sequence<uint64_t>(count);
  std::vector<std::unique_ptr<Block>> resident;
  while (next < count || !resident.empty()) {
    if (resident.empty()) resident.push_back(MakeBlock(&launch, order[next++]));
    bool finished = false;
    for (size_t i = 0; i < resident.size();) {
      if (!RunBlock(*resident[i])) {
        ++i;
        continue;
      }
      if (StatsEnabled()) FoldBlockStats(*resident[i]);
      resident.erase(resident.begin() + i);
      finished = true;
    }
    if (!finished && next < count) resident.push_back(MakeBlock(&launch, order[next++]));
  }
  EndLaunchStats(launch);
}

}  // namespace ptxsim
