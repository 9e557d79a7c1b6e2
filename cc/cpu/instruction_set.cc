#include "cc/cpu/instruction_set.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace statpool {
namespace cpu {

// Each is kernels_isa.cc, compiled with its own flags.
namespace baseline {
const Kernels& KernelsFor(core::DType dtype);
}
#if defined(__x86_64__)
namespace avx2 {
const Kernels& KernelsFor(core::DType dtype);
}
#endif
#if defined(STATPOOL_HAS_AVX512)
namespace avx512 {
const Kernels& KernelsFor(core::DType dtype);
}
#endif

namespace {

bool SupportsBaseline() { return true; }

#if defined(__x86_64__)
// By CPUID, because Clang's __builtin_cpu_supports doesn't know F16C. A system that saves the
// registers of AVX2 saves those of F16C, too.
bool HasF16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool SupportsAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && HasF16c();
}

constexpr char kBaselineName[] = "x86-64";
#else
constexpr char kBaselineName[] = "generic";
#endif

#if defined(STATPOOL_HAS_AVX512)
bool SupportsAvx512() {
  return SupportsAvx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

const std::vector<InstructionSet>& CompiledInstructionSets() {
  static const auto* sets = new std::vector<InstructionSet>{
#if defined(STATPOOL_HAS_AVX512)
      {"avx512", &SupportsAvx512, &avx512::KernelsFor},
#endif
#if defined(__x86_64__)
      {"avx2", &SupportsAvx2, &avx2::KernelsFor},
#endif
      {kBaselineName, &SupportsBaseline, &baseline::KernelsFor},
  };
  return *sets;
}

const InstructionSet& BestInstructionSet() {
  static const InstructionSet* best = [] {
    const InstructionSet* first = &CompiledInstructionSets().front();
    while (!first->is_supported()) ++first;
    return first;
  }();
  return *best;
}

const InstructionSet* FindInstructionSet(const std::string& name) {
  for (const InstructionSet& set : CompiledInstructionSets()) {
    if (set.name == name && set.is_supported()) return &set;
  }
  return nullptr;
}

}  // namespace cpu
}  // namespace statpool
