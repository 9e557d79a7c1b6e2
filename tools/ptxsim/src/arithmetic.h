// Values are kept as raw bits in 64-bit registers; these functions give them their meaning.
#ifndef STATPOOL_TOOLS_PTXSIM_SRC_ARITHMETIC_H_
#define STATPOOL_TOOLS_PTXSIM_SRC_ARITHMETIC_H_

#include <cfenv>
#include <cstring>

#include "ptx.h"

namespace ptxsim {

inline float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline double DoubleOf(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, 8);
  return value;
}
inline uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline uint64_t BitsOf(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, 8);
  return bits;
}
inline uint64_t MaskOf(Type type) {
  int bytes = SizeOf(type);
  return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}
// Sign- or zero-extends by the type.
inline int64_t Extend(uint64_t value, Type type) {
  int unused = 64 - 8 * SizeOf(type);
  if (unused <= 0) return value;
  return IsSigned(type) ? static_cast<int64_t>(value << unused) >> unused
                        : static_cast<int64_t>((value << unused) >> unused);
}

// Sets the rounding mode of the host for a scope.
class Rounding {
 public:
  explicit Rounding(int mode) : set_(mode != 0) {
    if (set_) fesetround(mode);
  }
  ~Rounding() {
    if (set_) fesetround(FE_TONEAREST);
  }

 private:
  bool set_;
};

// Any float format up to 64 bits fits a double; packed formats use the lower half.
double Unpack(uint64_t bits, Type type, bool ftz);
uint64_t Pack(double value, Type type, bool ftz, bool saturate);

bool CompareInts(int compare, uint64_t a, uint64_t b, Type type);
bool CompareFloats(int compare, double a, double b);
uint64_t FloatOp(const Instruction& in, uint64_t a, uint64_t b, uint64_t c);  // packed formats too
uint64_t ReduceOp(const Instruction& in, Type type, uint64_t old, uint64_t b, uint64_t c);
uint64_t Convert(const Instruction& in, uint64_t value, uint64_t value2);

}  // namespace ptxsim

#endif  // STATPOOL_TOOLS_PTXSIM_SRC_ARITHMETIC_H_
