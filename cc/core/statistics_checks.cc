// Compile-time proof that each row of the table of statistics says what its formulas do: which sums
// its saved fields are computed from, and which terms and fields its gradient takes.
#include <type_traits>

#include "cc/core/gradient.h"
#include "cc/core/statistics.h"
#include "cc/core/values.h"

namespace statpool {
namespace core {
namespace {

template <typename Flags, int kCount>
constexpr Flags Either(const Flags& a, const Flags& b, bool Flags::* const (&members)[kCount]) {
  Flags either = a;
  for (bool Flags::* member : members) either.*member |= b.*member;
  return either;
}

// Stands for a number in a formula: which sums it is made of, and that it holds scale^kPower.
template <int kPower>
struct Term {
  NeededSums sums;
};

template <int kPower>
constexpr Term<kPower> operator+(const Term<kPower>& a, const Term<kPower>& b) {
  return {Either(a.sums, b.sums, kNeededSums)};
}

template <int kPower>
constexpr Term<kPower> operator-(const Term<kPower>& a, const Term<kPower>& b) {
  return a + b;
}

template <int kPower, int kOther>
constexpr Term<kPower + kOther> operator*(const Term<kPower>& a, const Term<kOther>& b) {
  return {Either(a.sums, b.sums, kNeededSums)};
}

constexpr Term<0> BesselCorrection(const Term<0>& steps) { return steps; }

// Stands for a channel.
struct TermsOfChannel {
  constexpr Term<0> Steps() const { return {}; }
  constexpr Term<1> Sum() const { return {Only(&NeededSums::sum)}; }
  constexpr Term<2> Squares() const { return {Only(&NeededSums::squares)}; }
  constexpr Term<2> Deviations() const { return {Only(&NeededSums::central)}; }
  constexpr Term<0> Max() const { return {Only(&NeededSums::max)}; }
  constexpr Term<0> MaxCount() const { return Max(); }
  constexpr Term<0> Min() const { return {Only(&NeededSums::min)}; }
  constexpr Term<0> MinCount() const { return Min(); }
  constexpr Term<0> MeanResidual() const { return {Only(&NeededSums::sum, &NeededSums::central)}; }
  template <int kPower>
  constexpr Term<kPower> PerStep(const Term<kPower>& v) const {
    return v;
  }
  constexpr Term<0> Root(const Term<2>& power) const { return {power.sums}; }
  template <int kPower>
  constexpr Term<kPower - 1> Unscaled(const Term<kPower>& v) const {
    static_assert(kPower > 0, "there is a scale to undo");
    return {v.sums};
  }
};

// The sums that a saved field is computed from.
constexpr NeededSums SumsOf(SavedField field) {
  NeededSums sums = {};
  WithFormula(field, [&sums](const auto& formula) {
    const auto value = formula(TermsOfChannel());
    static_assert(std::is_same_v<decltype(value), const Term<0>>,
                  "a formula undoes the scale: Root(power), Unscaled(sum), "
                  "Unscaled(Unscaled(power))");
    sums = value.sums;
  });
  return sums;
}

constexpr NeededSums SumsOf(const StatisticRow& row) {
  NeededSums sums = {};
  for (int i = 0; i < kSavedFieldCount; ++i) {
    if (row.saved >> i & 1) sums = Either(sums, SumsOf(static_cast<SavedField>(i)), kNeededSums);
  }
  return sums;
}

// What the gradient of a statistic reads and adds to.
struct GradientUse {
  uint32_t saved = 0;
  GradientTerms terms = {};

  constexpr void AddConstant(double, double) { terms.constant = true; }
  constexpr void AddSlope(double, double, double) { terms.slope = true; }
  constexpr void AddCentral(double, double, double, double, double) { terms.central = true; }
  constexpr void AddMaximum(double, double, double) { terms.constant = terms.max = true; }
  constexpr void AddMinimum(double, double, double) { terms.constant = terms.min = true; }
};

struct FieldReader {
  GradientUse* use;

  constexpr double At(SavedField field) const {
    use->saved |= BitsOf(field);
    return 1;
  }
  constexpr double Steps() const { return At(SavedField::kSteps); }
};

constexpr GradientUse UseOf(int statistic) {
  GradientUse use;
  AddGradient(static_cast<Statistic>(statistic), 1.0, FieldReader{&use}, &use);
  return use;
}

template <typename Rule>
constexpr bool HoldsForEachRow(const Rule& rule) {
  for (int i = 0; i < kStatisticCount; ++i) {
    if (!rule(i, kStatistics[i])) return false;
  }
  return true;
}

static_assert(kSumCount == 5 && kTermCount == 5, "the stand-ins above know every sum and term");
static_assert(HoldsForEachRow([](int, const StatisticRow& row) { return row.name != nullptr; }),
              "kStatisticCount is the number of rows");
static_assert(HoldsForEachRow([](int, const StatisticRow& row) {
                return row.saved >> kSavedFieldCount == 0;
              }),
              "kSavedFieldCount is the number of fields");
static_assert(HoldsForEachRow([](int, const StatisticRow& row) {
                return AreEqual(SumsOf(row), row.sums);
              }),
              "a row names the sums that its saved fields are computed from");
static_assert(HoldsForEachRow([](int i, const StatisticRow& row) {
                return AreEqual(UseOf(i).terms, row.terms);
              }),
              "a row names the terms that its gradient adds to");
static_assert(HoldsForEachRow([](int i, const StatisticRow& row) {
                return (UseOf(i).saved & ~row.saved) == 0;
              }),
              "a row saves what its gradient reads");

}  // namespace
}  // namespace core
}  // namespace statpool
