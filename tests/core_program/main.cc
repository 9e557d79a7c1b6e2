// The CPU kernels as a program: calls come on standard input, results leave on standard output. So
// tests reach kernels that can't be loaded here: those of another processor, and those for vectors
// that this one doesn't have.
//
// Usage: statpool_core_program [instruction set]; without one it prints those that it can run.
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cc/core/dtype.h"
#include "cc/core/statistics.h"
#include "cc/cpu/global_stats_cpu.h"
#include "cc/cpu/global_stats_gradient_cpu.h"
#include "cc/cpu/shared_work.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace statpool {
namespace cpu {
namespace avx512_emulated {
const Kernels& KernelsFor(core::DType dtype);
}
}  // namespace cpu

namespace {

constexpr int kPoolThreads = 3;
constexpr char kEmulatedName[] = "avx512-emulated";

// A call, as tests/core_program.py has it. x, mask, lengths and upstream follow; y and dx return.
struct Call {
  int64_t batch;
  int64_t time;
  int64_t channels;
  double epsilon;
  int32_t is_channels_first;
  int32_t dtype;
  int32_t out_dtype;
  int32_t has_mask;
  int32_t has_lengths;
  int32_t wants_gradient;
  int32_t flushes_subnormals;  // the caller does, as TensorFlow's threads
  int32_t threads;
  int32_t statistics;
  int32_t statistic[core::kStatisticCount];
};

void FlushSubnormals([[maybe_unused]] bool flush) {
#if defined(__x86_64__)
  constexpr unsigned kFlushBits = 0x8040;
  _mm_setcsr((_mm_getcsr() & ~kFlushBits) | (flush ? kFlushBits : 0));
#elif defined(__aarch64__)
  constexpr uint64_t kFlushBit = uint64_t{1} << 24;
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  control = (control & ~kFlushBit) | (flush ? kFlushBit : 0);
  asm volatile("msr fpcr, %0" : : "r"(control));
#endif
}

// Threads that stay, as those of TensorFlow and XLA: one may come to a call that has returned. They
// live until the program ends.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 0; i < threads; ++i) std::thread([this] { Work(); }).detach();
  }

  // With a caller and at most `threads - 1` others, however little there is to do.
  cpu::ParallelFor ParallelFor(int64_t threads) {
    return [this, threads](int64_t units, int64_t cost, const cpu::Work& work) {
      const auto schedule = [this](std::function<void()> task) { Schedule(std::move(task)); };
      cpu::ShareWork({threads, /*start_nanos=*/1, schedule}, units, cost, work);
    };
  }

 private:
  void Schedule(std::function<void()> task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    has_tasks_.notify_one();
  }

  [[noreturn]] void Work() {
    for (;;) Next()();
  }

  std::function<void()> Next() {
    std::unique_lock<std::mutex> lock(mutex_);
    has_tasks_.wait(lock, [this] { return !tasks_.empty(); });
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }

  std::mutex mutex_;
  std::condition_variable has_tasks_;
  std::deque<std::function<void()>> tasks_;
};

// Ends the program where the other end is gone.
std::vector<char> Read(int64_t bytes) {
  std::vector<char> data(bytes);
  if (std::fread(data.data(), 1, data.size(), stdin) != data.size()) std::_Exit(0);
  return data;
}

void Write(const std::vector<char>& data) { std::fwrite(data.data(), 1, data.size(), stdout); }

void Run(const Call& call, const cpu::InstructionSet& set, Pool* pool) {
  core::Problem problem = {};
  problem.shape = {call.batch, call.time, call.channels};
  problem.layout = static_cast<core::Layout>(call.is_channels_first);
  problem.epsilon = call.epsilon;
  problem.statistics.size = call.statistics;
  for (int i = 0; i < call.statistics; ++i) {
    problem.statistics.items[i] = static_cast<core::Statistic>(call.statistic[i]);
  }
  const auto dtype = static_cast<core::DType>(call.dtype);
  const auto out_dtype = static_cast<core::DType>(call.out_dtype);
  const int64_t x_bytes = call.batch * call.time * call.channels * core::BytesOf(dtype);
  const int64_t y_bytes = call.batch * call.statistics * call.channels * core::BytesOf(out_dtype);
  const int64_t compute_bytes = dtype == core::DType::kFloat64 ? 8 : 4;
  const int64_t planes = core::SavedPlanes(problem.statistics).size;

  const std::vector<char> x = Read(x_bytes);
  const std::vector<char> mask = Read(call.has_mask ? call.batch * call.time : 0);
  const std::vector<char> lengths = Read(call.has_lengths ? call.batch * sizeof(int64_t) : 0);
  const std::vector<char> upstream = Read(call.wants_gradient ? y_bytes : 0);
  const bool* const keep = call.has_mask ? reinterpret_cast<const bool*>(mask.data()) : nullptr;
  const int64_t* const ends =
      call.has_lengths ? reinterpret_cast<const int64_t*>(lengths.data()) : nullptr;
  const cpu::ParallelFor parallel_for = pool->ParallelFor(call.threads);

  std::vector<char> y(y_bytes);
  std::vector<char> saved(call.batch * planes * call.channels * compute_bytes);
  std::vector<char> workspace(cpu::GlobalStatsWorkspaceBytes(problem, dtype));
  FlushSubnormals(call.flushes_subnormals);
  cpu::GlobalStats(y.data(), saved.data(), x.data(), keep, ends, problem, dtype, out_dtype,
                   workspace.data(), set, parallel_for);
  std::vector<char> dx(call.wants_gradient ? x_bytes : 0);
  if (call.wants_gradient) {
    cpu::GlobalStatsGradient(dx.data(), upstream.data(), x.data(), saved.data(), keep, ends,
                             problem, dtype, out_dtype, set, parallel_for);
  }
  FlushSubnormals(false);
  Write(y);
  Write(dx);
  std::fflush(stdout);
}

int Main(int count, char** arguments) {
  const cpu::InstructionSet emulated = {kEmulatedName, [] { return true; },
                                        &cpu::avx512_emulated::KernelsFor};
  if (count != 2) {
    for (const cpu::InstructionSet& set : cpu::CompiledInstructionSets()) {
      if (set.is_supported()) std::puts(set.name);
    }
    std::puts(kEmulatedName);
    return 0;
  }
  const std::string name = arguments[1];
  const cpu::InstructionSet* const set =
      name == kEmulatedName ? &emulated : cpu::FindInstructionSet(name);
  if (set == nullptr) {
    std::fprintf(stderr, "the instruction set must be one that this processor has, got '%s'\n",
                 name.c_str());
    return 1;
  }
  auto* const pool = new Pool(kPoolThreads);
  for (;;) {
    Call call;
    std::memcpy(&call, Read(sizeof call).data(), sizeof call);
    Run(call, *set, pool);
  }
}

}  // namespace
}  // namespace statpool

int main(int count, char** arguments) { return statpool::Main(count, arguments); }
