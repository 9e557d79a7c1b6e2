// Subnormal numbers as IEEE wants them, for one scope. TensorFlow's threads flush them to zero,
// which would make results depend on who calls.
#ifndef STATPOOL_CPU_FULL_PRECISION_H_
#define STATPOOL_CPU_FULL_PRECISION_H_

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace statpool {
namespace cpu {

class ScopedFullPrecision {
 public:
#if defined(__x86_64__)
  ScopedFullPrecision() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ & ~kFlushBits); }
  ~ScopedFullPrecision() { _mm_setcsr(saved_); }
#else
  ScopedFullPrecision() = default;
#endif
  ScopedFullPrecision(const ScopedFullPrecision&) = delete;
  ScopedFullPrecision& operator=(const ScopedFullPrecision&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr unsigned kFlushBits = 0x8040;  // flush to zero, denormals are zero
  const unsigned saved_;
#endif
};

}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FULL_PRECISION_H_
