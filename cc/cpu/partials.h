// What is kept of each split of time until all are joined: the sums and extremes themselves, in
// double, a row of C values for each. Nothing is rounded in between.
#ifndef STATPOOL_CPU_PARTIALS_H_
#define STATPOOL_CPU_PARTIALS_H_

#include <algorithm>

#include "cc/cpu/columns.h"
#include "cc/cpu/kernels.h"

namespace statpool {
namespace cpu {
namespace {

// Calls visit(&part.sum) and so on for every row that the statistics asked for need, in the order
// in which they lie in memory.
template <typename Compute, typename Visit>
void ForEachRow(const core::Needs& needs, SplitPart* part, const Visit& visit) {
  const auto visit_sum = [&](const double** sum, const double** error) {
    visit(sum);
    if (TileSum<Compute>::kCompensated) visit(error);
  };
  if (needs.sum) visit_sum(&part->sum, &part->sum_error);
  if (needs.squares) visit_sum(&part->squares, &part->squares_error);
  if (needs.central) {
    visit(&part->mean);
    visit_sum(&part->deviations, &part->deviations_error);
  }
  if (needs.max) {
    visit(&part->max);
    visit(&part->max_count);
  }
  if (needs.min) {
    visit(&part->min);
    visit(&part->min_count);
  }
}

// The first value of a split's rows for a tile that begins at first_channel.
template <typename Compute>
double* PartialRows(const ForwardArguments& a, const core::Needs& needs, int64_t b, int64_t split,
                    int64_t first_channel) {
  const bool is_compensated = TileSum<Compute>::kCompensated;
  const int64_t rows = core::PartialRowCount(needs, is_compensated);
  return a.partials + (b * a.plan.splits + split) * rows * a.problem.shape.channels + first_channel;
}

template <typename Compute>
void StorePartial(const ForwardArguments& a, const core::Needs& needs, const Columns& k, int64_t b,
                  int64_t split, int64_t first_channel, int64_t width) {
  double* row = PartialRows<Compute>(a, needs, b, split, first_channel);
  SplitPart part = {k.count,         k.sum.value, k.sum.error,        k.squares.value,
                    k.squares.error, k.mean,      k.deviations.value, k.deviations.error,
                    k.max.value,     k.max.count, k.min.value,        k.min.count};
  ForEachRow<Compute>(needs, &part, [&](const double** values) {
    std::copy_n(*values, width, row);
    row += a.problem.shape.channels;
  });
}

// The part that StorePartial kept of a split of `steps` steps.
template <typename Compute>
SplitPart LoadPartial(const ForwardArguments& a, const core::Needs& needs, int64_t steps, int64_t b,
                      int64_t split, int64_t first_channel) {
  const double* row = PartialRows<Compute>(a, needs, b, split, first_channel);
  SplitPart part = {};
  part.steps = steps;
  ForEachRow<Compute>(needs, &part, [&](const double** values) {
    *values = row;
    row += a.problem.shape.channels;
  });
  return part;
}

}  // namespace
}  // namespace cpu
}  // namespace statpool

#endif  // STATPOOL_CPU_PARTIALS_H_
