// The statistics, each a row of a table, and what follows from the rows of a selection.
//
// A new one needs a row here, a formula for its value in core/values.h, and one for its gradient in
// core/gradient.h. core/statistics_checks.cc doesn't compile unless the three agree.
#ifndef STATPOOL_CORE_STATISTICS_H_
#define STATPOOL_CORE_STATISTICS_H_

#include <cstdint>
#include <iterator>

namespace statpool {
namespace core {

// kSampleStd is std with correction 1.
enum class Statistic : int32_t { kMean, kMax, kMin, kL2, kRms, kStd, kSampleStd };
constexpr int kStatisticCount = 7;

// The selected statistics, in output order.
struct StatisticList {
  Statistic items[kStatisticCount];
  int32_t size;
};

// What the forward pass saves for the gradient, per (b, c). Each field is a plane [B, C] of the
// tensor `saved`, [B, planes, C], in the compute type.
enum class SavedField : int32_t {
  kSteps,  // N, the number of valid steps: the same for every channel
  kMean,
  kMeanResidual,  // exact mean - kMean: keeps x - mean exact where the mean is large
  kMax,
  kMaxCount,
  kMin,
  kMinCount,
  kL2,
  kRms,
  kStd,
  kSampleStd,
};
constexpr int kSavedFieldCount = 11;

struct SavedFieldList {
  SavedField items[kSavedFieldCount];
  int32_t size;
};

// What a pass over time accumulates: the sums, and the extremes with how many steps equal them.
struct NeededSums {
  bool sum;
  bool squares;
  bool central;  // mean and squared deviations, without cancellation
  bool max;
  bool min;
};
constexpr bool NeededSums::* const kNeededSums[] = {&NeededSums::sum, &NeededSums::squares,
                                                    &NeededSums::central, &NeededSums::max,
                                                    &NeededSums::min};

// Which terms of the gradient formula (core/gradient.h) there are.
struct GradientTerms {
  bool constant;
  bool slope;
  bool central;
  bool max;
  bool min;
};
constexpr bool GradientTerms::* const kGradientTerms[] = {
    &GradientTerms::constant, &GradientTerms::slope, &GradientTerms::central, &GradientTerms::max,
    &GradientTerms::min};

// Code that handles each sum or term by name asserts how many it knows, so that a new member is an
// error in every place that needs a line for it.
constexpr int kSumCount = std::size(kNeededSums);
constexpr int kTermCount = std::size(kGradientTerms);
static_assert(sizeof(NeededSums) == kSumCount, "kNeededSums lists every member");
static_assert(sizeof(GradientTerms) == kTermCount, "kGradientTerms lists every member");

struct StatisticRow {
  const char* name;
  SavedField value;     // the field that holds the statistic unrounded
  uint32_t saved;       // bits of SavedField: `value`, and what the gradient reads
  NeededSums sums;      // that the saved fields are computed from
  GradientTerms terms;  // that the gradient adds to
};

template <typename... Fields>
constexpr uint32_t BitsOf(Fields... fields) {
  return (0u | ... | (1u << static_cast<int>(fields)));
}

// The named members are true, the others false.
template <typename Flags, typename... Members>
constexpr Flags Only(bool Flags::* first, Members... others) {
  Flags flags = {};
  flags.*first = true;
  ((flags.*others = true), ...);
  return flags;
}

// Indexed by Statistic.
constexpr StatisticRow kStatistics[kStatisticCount] = {
    {"mean", SavedField::kMean, BitsOf(SavedField::kSteps, SavedField::kMean),
     Only(&NeededSums::sum), Only(&GradientTerms::constant)},
    {"max", SavedField::kMax, BitsOf(SavedField::kMax, SavedField::kMaxCount),
     Only(&NeededSums::max), Only(&GradientTerms::constant, &GradientTerms::max)},
    {"min", SavedField::kMin, BitsOf(SavedField::kMin, SavedField::kMinCount),
     Only(&NeededSums::min), Only(&GradientTerms::constant, &GradientTerms::min)},
    {"l2", SavedField::kL2, BitsOf(SavedField::kL2), Only(&NeededSums::squares),
     Only(&GradientTerms::slope)},
    {"rms", SavedField::kRms, BitsOf(SavedField::kSteps, SavedField::kRms),
     Only(&NeededSums::squares), Only(&GradientTerms::slope)},
    {"std", SavedField::kStd,
     BitsOf(SavedField::kSteps, SavedField::kMean, SavedField::kMeanResidual, SavedField::kStd),
     Only(&NeededSums::sum, &NeededSums::central), Only(&GradientTerms::central)},
    {"sample_std", SavedField::kSampleStd,
     BitsOf(SavedField::kSteps, SavedField::kMean, SavedField::kMeanResidual,
            SavedField::kSampleStd),
     Only(&NeededSums::sum, &NeededSums::central), Only(&GradientTerms::central)},
};

constexpr const StatisticRow& RowOf(Statistic statistic) {
  return kStatistics[static_cast<int>(statistic)];
}

// Results are written by a loop over the saved fields.
constexpr bool EveryValueIsSaved() {
  for (const StatisticRow& row : kStatistics) {
    if ((row.saved & BitsOf(row.value)) == 0) return false;
  }
  return true;
}
static_assert(EveryValueIsSaved(), "a value that isn't saved is never written");

// The flags that any of the statistics has in a column of the table.
template <typename Flags, int kCount>
constexpr Flags AnyOf(const StatisticList& statistics, Flags StatisticRow::* column,
                      bool Flags::* const (&members)[kCount]) {
  Flags any = {};
  for (int i = 0; i < statistics.size; ++i) {
    for (bool Flags::* member : members) any.*member |= RowOf(statistics.items[i]).*column.*member;
  }
  return any;
}

constexpr NeededSums NeededSumsOf(const StatisticList& statistics) {
  return AnyOf(statistics, &StatisticRow::sums, kNeededSums);
}

constexpr GradientTerms GradientTermsOf(const StatisticList& statistics) {
  return AnyOf(statistics, &StatisticRow::terms, kGradientTerms);
}

// The fields that these statistics save, each once, in the order of SavedField.
constexpr SavedFieldList SavedFieldsOf(const StatisticList& statistics) {
  uint32_t saved = 0;
  for (int i = 0; i < statistics.size; ++i) saved |= RowOf(statistics.items[i]).saved;
  SavedFieldList fields = {};
  for (int i = 0; i < kSavedFieldCount; ++i) {
    if (saved >> i & 1) fields.items[fields.size++] = static_cast<SavedField>(i);
  }
  return fields;
}

// The place of a field in the list, or -1.
constexpr int PlaceOf(SavedField field, const SavedFieldList& fields) {
  for (int i = 0; i < fields.size; ++i) {
    if (fields.items[i] == field) return i;
  }
  return -1;
}

// ------------------------------------------------------------------------------------------------
// Selections that the compiler knows: types that can be used in place of NeededSums and
// GradientTerms.

template <Statistic... kStatistics>
constexpr StatisticList kListOf = {{kStatistics...}, sizeof...(kStatistics)};

template <Statistic... kStatistics>
struct KnownSums {
  static constexpr NeededSums kFlags = NeededSumsOf(kListOf<kStatistics...>);
  static constexpr bool sum = kFlags.sum;
  static constexpr bool squares = kFlags.squares;
  static constexpr bool central = kFlags.central;
  static constexpr bool max = kFlags.max;
  static constexpr bool min = kFlags.min;
};

template <Statistic... kStatistics>
struct KnownGradientTerms {
  static constexpr GradientTerms kFlags = GradientTermsOf(kListOf<kStatistics...>);
  static constexpr bool constant = kFlags.constant;
  static constexpr bool slope = kFlags.slope;
  static constexpr bool central = kFlags.central;
  static constexpr bool max = kFlags.max;
  static constexpr bool min = kFlags.min;
};

struct DefaultSums : KnownSums<Statistic::kMean, Statistic::kMax, Statistic::kL2> {};
struct MeanSums : KnownSums<Statistic::kMean> {};
struct MaxSums : KnownSums<Statistic::kMax> {};
struct MeanStdSums : KnownSums<Statistic::kMean, Statistic::kStd> {};
struct DefaultGradientTerms
    : KnownGradientTerms<Statistic::kMean, Statistic::kMax, Statistic::kL2> {};
struct MeanStdGradientTerms : KnownGradientTerms<Statistic::kMean, Statistic::kStd> {};

template <typename Flags, int kCount>
constexpr Flags All(bool Flags::* const (&members)[kCount]) {
  Flags all = {};
  for (bool Flags::* member : members) all.*member = true;
  return all;
}

// What code compiled for a selection must support: everything if the selection is known only at run
// time.
template <typename Selection>
constexpr Selection kMost = {};
template <>
inline constexpr NeededSums kMost<NeededSums> = All(kNeededSums);
template <>
inline constexpr GradientTerms kMost<GradientTerms> = All(kGradientTerms);

// The same as NeededSums or GradientTerms.
template <typename Selection>
constexpr auto kMostFlags = Selection::kFlags;
template <>
inline constexpr NeededSums kMostFlags<NeededSums> = kMost<NeededSums>;
template <>
inline constexpr GradientTerms kMostFlags<GradientTerms> = kMost<GradientTerms>;

template <typename Flags, int kCount>
constexpr bool AreEqual(const Flags& a, const Flags& b, bool Flags::* const (&members)[kCount]) {
  for (bool Flags::* member : members) {
    if (a.*member != b.*member) return false;
  }
  return true;
}

// Whether `all` has every flag that `part` has.
template <typename Flags, int kCount>
constexpr bool Contains(const Flags& all, const Flags& part,
                        bool Flags::* const (&members)[kCount]) {
  for (bool Flags::* member : members) {
    if (part.*member && !(all.*member)) return false;
  }
  return true;
}

constexpr bool Contains(const NeededSums& all, const NeededSums& part) {
  return Contains(all, part, kNeededSums);
}

constexpr bool Contains(const GradientTerms& all, const GradientTerms& part) {
  return Contains(all, part, kGradientTerms);
}

constexpr bool AreEqual(const NeededSums& a, const NeededSums& b) {
  return AreEqual(a, b, kNeededSums);
}

constexpr bool AreEqual(const GradientTerms& a, const GradientTerms& b) {
  return AreEqual(a, b, kGradientTerms);
}

// Calls use(selection) with the known selection that equals these flags, or with the flags.
template <typename Known, typename... Others, typename Flags, typename Use>
auto WithKnown(const Flags& flags, const Use& use) {
  if (AreEqual(flags, Known::kFlags)) return use(Known());
  if constexpr (sizeof...(Others) == 0) {
    return use(flags);
  } else {
    return WithKnown<Others...>(flags, use);
  }
}

}  // namespace core
}  // namespace statpool

#endif  // STATPOOL_CORE_STATISTICS_H_
