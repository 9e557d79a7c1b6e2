// Subnormal numbers as IEEE defines them, for one scope. TensorFlow's threads flush them to zero,
// on x86 and on Arm, which would make results depend on the caller.
#ifndef STATPOOL_CPU_SIMD_FULL_PRECISION_H_
#define STATPOOL_CPU_SIMD_FULL_PRECISION_H_

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace statpool {
namespace cpu {

class ScopedFullPrecision {
 public:
  ScopedFullPrecision() : saved_(Control()) { SetControl(saved_ & ~kFlushBits); }
  ~ScopedFullPrecision() { SetControl(saved_); }
  ScopedFullPrecision(const ScopedFullPrecision&) = delete;
  ScopedFullPrecision& operator=(const ScopedFullPrecision&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr uint64_t kFlushBits = 0x8040;  // MXCSR: flush to zero, denormals are zero
  static uint64_t Control() { return _mm_getcsr(); }
  static void SetControl(uint64_t control) { _mm_setcsr(static_cast<unsigned>(control)); }
#elif defined(__aarch64__)
  static constexpr uint64_t kFlushBits = uint64_t{1} << 24;  // FPCR: FZ
  static uint64_t Control() {
    uint64_t control;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void SetControl(uint64_t control) { asm volatile("msr fpcr, %0" : : "r"(control)); }
#else
  static constexpr uint64_t kFlushBits = 0;
  static uint64_t Control() { return 0; }
  static void SetControl(uint64_t) {}
#endif

  const uint64_t saved_;
};

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_SIMD_FULL_PRECISION_H_
