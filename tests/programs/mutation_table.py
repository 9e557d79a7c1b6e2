"""The rules of the contract, each broken once in every implementation that has it.

A mutation replaces a text that occurs exactly once in its file. `mutations.py` runs
the contract suite on each and expects it to fail.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One rule, and the replacement that breaks it."""

    rule: str
    file: str
    old: str
    new: str


def _in_file(file, *rows):
    return [Mutation(rule, file, old, new) for rule, old, new in rows]


TIES = "ties share the gradient"
MASK_BACKWARD = "mask in the backward"
MASK = "mask"
LENGTHS = "lengths"
MEAN = "mean divides by N, not T"
MEAN_GRADIENT = "gradient of the mean divides by N, not T"
EPSILON_UNDER_ROOT = "epsilon under the root"
EPSILON = "epsilon is added"
NAN_VALUE = "NaN wins in max"
NAN_GRADIENT = "NaN makes the gradient NaN"
PADDING = "gradient of padding is 0"
ROOT_OF_ZERO = "gradient at root 0 is 0"
ORDER = "order of statistics"
ORDER_BACKWARD = "order of statistics in the backward"
POPULATION = "population variance"
MAX_IDENTITY = "identity of max is -Inf"
NO_STEP = "no step that counts gives 0"
NO_VANISHING = "tiny values don't vanish"
NO_OVERFLOW = "huge values don't overflow"
LONG_SUMS = "error doesn't grow with T"
CANCELLATION = "small deviations on a large mean"
SECOND_ORDER = "finite second order at root 0"
EXAMPLES = "an example has its own results"
CHANNELS = "a channel has its own gradient"

REFERENCE = _in_file(
    "python/statpool/reference.py",
    (TIES, "np.where(ties, g / ties.sum(axis=2, keepdims=True), 0.0)", "ties * g"),
    (
        MASK_BACKWARD,
        "_columns(x, mask, lengths, options)\n    upstream",
        "_columns(x, None, lengths, options)\n    upstream",
    ),
    (MASK, "valid &= mask", "pass"),
    (LENGTHS, "valid &= np.arange(time) < lengths[:, np.newaxis]", "pass"),
    (MEAN, "total / columns.count", "total / max(columns.x.shape[2], 1)"),
    (MEAN_GRADIENT, "return g / columns.count", "return g / columns.x.shape[2]"),
    (
        EPSILON_UNDER_ROOT,
        "np.sqrt(squares / self._divisor(columns) + epsilon)",
        "np.sqrt(squares / self._divisor(columns)) + epsilon",
    ),
    (EPSILON, "self._divisor(columns) + epsilon)", "self._divisor(columns))"),
    (NAN_VALUE, "_Extreme(np.maximum", "_Extreme(np.fmax"),
    (
        NAN_GRADIENT,
        "np.where(spoilt, np.nan, statistic.gradient(columns, g))",
        "statistic.gradient(columns, g)",
    ),
    (PADDING, "gradient = np.where(columns.valid, gradient, 0.0)", "pass"),
    (ROOT_OF_ZERO, "np.where(root == 0, 0.0, d / root)", "d / root"),
    (
        ORDER,
        "(columns) for name in options.statistics",
        "(columns) for name in _STATISTICS if name in options.statistics",
    ),
    (
        ORDER_BACKWARD,
        "zip(options.statistics, upstream",
        "zip([s for s in _STATISTICS if s in options.statistics], upstream",
    ),
    (
        POPULATION,
        "columns.count if self.averaged",
        "np.maximum(columns.count - self.centred, 1.0) if self.averaged",
    ),
    (MAX_IDENTITY, "identity=-np.inf", "identity=0.0"),
    (NO_STEP, "np.where(nothing, 0.0, extreme)", "extreme"),
    (NO_OVERFLOW, "unit = _exponent(_largest(columns.x))", "unit = 0"),
)

SERIES = _in_file(
    "python/statpool/_series.py",
    (MASK, "tf.logical_and(within, mask)", "within"),
    (LENGTHS, "    if lengths is None:\n        return mask\n", "    return mask\n"),
    (
        MEAN,
        "return self.sum(values) / self.count",
        "return tf.reduce_mean(values, self.time, keepdims=True)",
    ),
    (
        EPSILON,
        "return cls(x, valid, count, options.epsilon,",
        "return cls(x, valid, count, 0.0,",
    ),
    (NO_STEP, "count = tf.maximum(count, 1.0)", "pass"),
    (NO_OVERFLOW, "is_huge = largest > units.most", 'is_huge = largest > float("inf")'),
    (NO_VANISHING, "1.0 if self.has_usual_epsilon() else units.of_tiny", "1.0"),
    (
        CANCELLATION,
        "return self.where_valid(nearly - self.mean(nearly))",
        "return nearly",
    ),
    (
        SECOND_ORDER,
        "epsilon=epsilon, may_vanish=True",
        "epsilon=epsilon, may_vanish=False",
    ),
)

COMPOSITE = _in_file(
    "python/statpool/composite.py",
    (TIES, "g / tf.maximum(ways, 1.0)", "g"),
    (
        MASK_BACKWARD,
        "tf.broadcast_to(series.where_valid(total),",
        "tf.broadcast_to(total,",
    ),
    (
        MEAN_GRADIENT,
        "g / series.count + _nan_of",
        "g / max(series.x.shape[series.time], 1) + _nan_of",
    ),
    (
        EPSILON_UNDER_ROOT,
        "squares = self._averaged(squares, series) + series.epsilon",
        "squares = (tf.sqrt(self._averaged(squares, series)) + series.epsilon) ** 2",
    ),
    (
        NAN_VALUE,
        "return self._picked(series, last) + nan_or_zero",
        "return self._picked(series, last)",
    ),
    (
        NAN_GRADIENT,
        'g / series.count + _nan_of(saved.values["mean"])',
        "g / series.count",
    ),
    (PADDING, "ties = series.where_valid(", "ties = (lambda ties, _: ties)("),
    (
        ROOT_OF_ZERO,
        "inverse = _where(is_zero, 0.0, 1.0 / _where(is_zero, 1.0, root))",
        "inverse = 1.0 / root",
    ),
    (
        ORDER,
        "for name in names], options.channel)",
        "for name in _STATISTICS if name in names], options.channel)",
    ),
    (
        ORDER_BACKWARD,
        "zip(options.statistics,",
        "zip([s for s in _STATISTICS if s in options.statistics],",
    ),
    (
        POPULATION,
        "values / series.count if self.averaged",
        "values / tf.maximum(series.count - float(self.centred), 1.0) if self.averaged",
    ),
    (
        MAX_IDENTITY,
        "tf.where(some, last, tf.zeros([], x.dtype))",
        "tf.zeros([], x.dtype)",
    ),
)

_OUTPUT_AT = "(to.b * statistics.size + i) * channels + to.first_channel;"
_UPSTREAM_AT = "statistic * channels + c"
# How many of the statistics asked for come before this one in the enumeration.
_RANK = (
    "std::count_if(statistics.items, statistics.items + statistics.size, "
    "[&](auto s) { return s < statistics.items[i]; })"
)
_RANK_BACKWARD = _RANK.replace("items[i]", "items[statistic]")

CORE = [
    *_in_file(
        "cc/core/gradient.h",
        (TIES, "count == V{} ? V{} : V(g / count)", "count == V{} ? V{} : g"),
        (ROOT_OF_ZERO, "root == V{} ? V{} : V(g / root)", "V(g / root)"),
        (NAN_GRADIENT, "statistic == statistic ? term : statistic", "term"),
        (
            CANCELLATION,
            "saved.At(SavedField::kMean) + saved.At(SavedField::kMeanResidual)",
            "saved.At(SavedField::kMean)",
        ),
    ),
    *_in_file(
        "cc/core/accumulators.h",
        (LENGTHS, "if (lengths == nullptr) return time;", "return time;"),
        (NO_VANISHING, "kFloatRangeLow = 0x1p-110f", "kFloatRangeLow = 0.0f"),
    ),
    *_in_file(
        "cc/cpu/gradient/global_stats_gradient_kernels.h",
        (
            MASK_BACKWARD,
            "a.mask == nullptr ? nullptr : a.mask + unit.b * a.problem.shape.time",
            "nullptr",
        ),
        (PADDING, "std::memset(dx, 0, steps", "std::memset(dx, 1, steps"),
    ),
    *_in_file(
        "cc/cpu/forward/step_accumulator.h",
        (MASK, "core::Keeps(mask, t);", "core::Keeps(mask, t) || true;"),
    ),
    *_in_file(
        "cc/cpu/forward/global_stats_kernels.h",
        (EXAMPLES, "{b, c, channels, lane}", "{b, c, channels, lane - lane}"),
    ),
    *_in_file(
        "cc/cpu/forward/results.h",
        (
            MEAN,
            "Accumulators>{of, first_lane + c, steps, epsilon});",
            "Accumulators>{of, first_lane + c, a.fields.items[i] == "
            "core::SavedField::kMean ? 1.0 * a.problem.shape.time : steps, epsilon});",
        ),
        (EPSILON_UNDER_ROOT, "<N>(power + epsilon);", "<N>(power) + epsilon;"),
        (EPSILON, "<N>(power + epsilon);", "<N>(power);"),
        (ORDER, _OUTPUT_AT, _OUTPUT_AT.replace("i)", f"{_RANK})", 1)),
        (
            POPULATION,
            "return of.deviations.template Value<N>(lane);",
            "return of.deviations.template Value<N>(lane) * (steps / (steps - 1.0));",
        ),
        (NO_STEP, "if (count == 0) {", "if (false) {"),
        (NO_OVERFLOW, "return any;", "return false;"),
    ),
    *_in_file(
        "cc/cpu/gradient/gradient_coefficients.h",
        (
            MEAN_GRADIENT,
            "const GradientSources<T> from(a, unit.b, unit.first_channel);",
            "GradientSources<T> from(a, unit.b, unit.first_channel);\n"
            "  const core::ComputeType<T> time = a.problem.shape.time;\n"
            "  from.saved[static_cast<int>(core::SavedField::kSteps)] = &time;",
        ),
        (NO_VANISHING, "(magnitude < 0x1p-100f)", "(magnitude < 0)"),
        (NO_VANISHING, "& ~is_zero", "& (term != 0.0f)"),
    ),
    *_in_file(
        "cc/cpu/gradient/coefficient_rows.h",
        (CHANNELS, "odd[i] = block[2 * i + 1]", "odd[i] = block[2 * i]"),
    ),
    *_in_file(
        "cc/cpu/simd/storage.h",
        (NAN_GRADIENT, "__builtin_expect(may_have_nan, 0)", "false"),
    ),
    *_in_file(
        "cc/cpu/gradient/gradient_sources.h",
        (ORDER_BACKWARD, _UPSTREAM_AT, f"{_RANK_BACKWARD} * channels + c"),
    ),
    *_in_file(
        "cc/cpu/forward/accumulate_lanes.h",
        (
            NAN_VALUE,
            "best = (squares != squares) ?",
            "best = ((squares != squares) & K{}) ?",
        ),
        (
            NO_OVERFLOW,
            "core::IsInFloatRange(powers);",
            "powers >= 0x1p-110f;",
        ),
    ),
    *_in_file(
        "cc/cpu/forward/accumulator_rows.h",
        (
            MAX_IDENTITY,
            "std::fill_n(max, lanes, -kInfinity)",
            "std::fill_n(max, lanes, 0)",
        ),
        (LONG_SUMS, "std::is_same_v<Compute, double>;\n  alignas", "false;\n  alignas"),
    ),
    *_in_file(
        "cc/cpu/forward/packed_sum.h",
        (LONG_SUMS, "kFraction = 21", "kFraction = 12"),
        (NO_VANISHING, "kBiasChange = 1023 - 511", "kBiasChange = 1023 - 127"),
    ),
]

MUTATIONS = {"reference": REFERENCE, "composite": SERIES + COMPOSITE, "core": CORE}

# In the copy that the core's mutations are made in: one instruction set, as all of them
# share the sources, so that a mutation compiles in seconds.
QUICK_BUILD = [
    Mutation(
        "",
        "cmake/StatpoolInstructionSets.cmake",
        'if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")',
        "if(FALSE)",
    ),
    Mutation(
        "",
        "cc/cpu/instruction_set.cc",
        "\n#if defined(__x86_64__)\n      {",
        "\n#if 0\n      {",
    ),
    Mutation(
        "",
        "cc/cpu/instruction_set.cc",
        "#if defined(__x86_64__)\nnamespace avx2",
        "#if 0\nnamespace avx2",
    ),
    Mutation(
        "",
        "cc/pybind/streaming.cc",
        "\n#if defined(__x86_64__)\n      {",
        "\n#if 0\n      {",
    ),
]
