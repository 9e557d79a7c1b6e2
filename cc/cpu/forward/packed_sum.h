// A storage format of 32 bits for sums in double, which halves the memory of partial results. Float
// has the precision but not the range, because partial sums must not overflow if the whole doesn't.
// So two bits of the fraction go to the exponent: the range is 2^-511 to 2^512 and the error 2^-22,
// which is four of the eight units that the contract allows. The other four are for the sums of
// eight that cc/cpu/forward/accumulate_lanes.h takes in float.
#ifndef STATPOOL_CPU_FORWARD_PACKED_SUM_H_
#define STATPOOL_CPU_FORWARD_PACKED_SUM_H_

#include <cstdint>
#include <cstring>

namespace statpool {
namespace cpu {
namespace STATPOOL_ISA {
namespace {

class PackedSum {
 public:
  PackedSum(double value) {  // NOLINT: a storage format of double
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = static_cast<uint32_t>(bits >> 63) << 31;
    const bool is_finite = (bits >> 52 & 0x7ff) != 0x7ff;
    if (is_finite) bits += (uint64_t{1} << (kDropped - 1)) - 1 + (bits >> kDropped & 1);
    const uint64_t exponent = is_finite ? (bits >> 52 & 0x7ff) - kBiasChange : kInfinity;
    const bool is_zero = (bits >> 52 & 0x7ff) <= kBiasChange;  // no other sum of floats is so small
    const uint32_t fraction = static_cast<uint32_t>(bits >> kDropped) & kFractionMask;
    bits_ = is_zero ? sign : sign | static_cast<uint32_t>(exponent) << kFraction | fraction;
  }

  operator double() const {
    const uint64_t exponent = bits_ >> kFraction & kInfinity;
    uint64_t bits = static_cast<uint64_t>(bits_ >> 31) << 63;
    if (exponent != 0) {
      const uint64_t unpacked = exponent == kInfinity ? 0x7ff : exponent + kBiasChange;
      bits |= unpacked << 52 | static_cast<uint64_t>(bits_ & kFractionMask) << kDropped;
    }
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

 private:
  static constexpr int kFraction = 21;
  static constexpr int kDropped = 52 - kFraction;
  static constexpr uint32_t kFractionMask = (1u << kFraction) - 1;
  static constexpr uint64_t kBiasChange = 1023 - 511;
  static constexpr uint64_t kInfinity = 1023;  // as an exponent; NaN where the fraction isn't 0

  uint32_t bits_;
};

}  // namespace
}  // namespace STATPOOL_ISA
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_FORWARD_PACKED_SUM_H_
