// The CPU kernels as a program: calls come on standard input, results leave on standard output. So
// tests reach kernels that can't be loaded here: those of another processor, and those for vectors
// that this one doesn't have.
//
// Usage: statpool_core_program INSTRUCTION_SET
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
#include "tests/native/native_call.h"

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

// What to do, as tests/support/core_program.py has it. x, mask, lengths and upstream follow; y and
// dx return.
struct Request {
  tests::NativeCall call;
  int32_t has_mask;
  int32_t has_lengths;
  int32_t wants_gradient;
  int32_t flushes_subnormals;  // the caller does, as TensorFlow's threads
  int32_t threads;
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

  void Schedule(std::function<void()> task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    has_tasks_.notify_one();
  }

 private:
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

// The caller and at most `count` - 1 threads of the pool, however little there is to do.
class PoolThreads final : public cpu::Threads {
 public:
  PoolThreads(int64_t count, Pool* pool) : count_(count), pool_(pool) {}

  int64_t count() const override { return count_; }
  int64_t start_nanos() const override { return 1; }
  void Schedule(std::function<void()> task) override { pool_->Schedule(std::move(task)); }

 private:
  const int64_t count_;
  Pool* const pool_;
};

void Run(const Request& request, const cpu::InstructionSet& set, Pool* pool) {
  const core::Problem problem = tests::ProblemOf(request.call);
  const core::Shape& shape = problem.shape;
  const int64_t channels = shape.batch * shape.channels;
  const int64_t x_bytes = channels * shape.time * core::BytesOf(problem.dtype);
  const int64_t y_bytes = channels * problem.statistics.size * core::BytesOf(problem.out_dtype);
  const int64_t planes = core::SavedFieldsOf(problem.statistics).size;

  const std::vector<char> x = Read(x_bytes);
  const std::vector<char> mask = Read(request.has_mask ? shape.batch * shape.time : 0);
  const std::vector<char> lengths = Read(request.has_lengths ? shape.batch * sizeof(int64_t) : 0);
  const std::vector<char> upstream = Read(request.wants_gradient ? y_bytes : 0);
  const bool* const keep = request.has_mask ? reinterpret_cast<const bool*>(mask.data()) : nullptr;
  const int64_t* const ends =
      request.has_lengths ? reinterpret_cast<const int64_t*>(lengths.data()) : nullptr;

  const cpu::Plan plan = cpu::MakePlan(problem);
  std::vector<char> y(y_bytes);
  std::vector<char> saved(channels * planes * core::ComputeBytesOf(problem.dtype));
  std::vector<char> workspace(plan.workspace_bytes);
  PoolThreads threads(request.threads, pool);
  FlushSubnormals(request.flushes_subnormals);
  cpu::GlobalStats(problem, plan, {y.data(), saved.data(), x.data(), keep, ends, workspace.data()},
                   set, &threads);
  std::vector<char> dx(request.wants_gradient ? x_bytes : 0);
  if (request.wants_gradient) {
    cpu::GlobalStatsGradient(problem, plan,
                             {dx.data(), upstream.data(), x.data(), saved.data(), keep, ends}, set,
                             &threads);
  }
  FlushSubnormals(false);
  Write(y);
  Write(dx);
  std::fflush(stdout);
}

int Main(int count, char** arguments) {
  const cpu::InstructionSet emulated = {kEmulatedName, [] { return true; },
                                        &cpu::avx512_emulated::KernelsFor};
  const std::string name = count == 2 ? arguments[1] : "";
  const cpu::InstructionSet* const set =
      name == kEmulatedName ? &emulated : cpu::FindInstructionSet(name);
  if (set == nullptr) {
    std::fprintf(stderr, "the instruction set must be one that this processor has, got '%s'\n",
                 name.c_str());
    return 1;
  }
  auto* const pool = new Pool(kPoolThreads);
  for (;;) {
    Request request;
    std::memcpy(&request, Read(sizeof request).data(), sizeof request);
    Run(request, *set, pool);
  }
}

}  // namespace
}  // namespace statpool

int main(int count, char** arguments) { return statpool::Main(count, arguments); }
