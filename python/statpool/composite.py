"""The contract of statpool from stock TensorFlow operations, as light as by hand.

For export, for devices without a kernel of statpool's, and as the derivative of the
native op's gradient. `statpool.reference` explains the mathematics; what differs here:

* float64 input is summed in float64, all other in float32, by TensorFlow: the error of
  a sum may grow with its length (docs/contract.md).
* Values are those of the expression that one would write by hand. Where squares
  overflow, or x holds Inf or NaN, all are computed anew with care: in a unit for each
  column, and NaN apart. Graphs decide that when they run, out of sight of whoever
  differentiates them: TensorFlow can't do that to a conditional in each of its modes.
* The gradient is the explicit formula, of x and of what the forward pass saved of it.
  All of it can be differentiated again; what was computed anew then counts as constant.
* Where TensorFlow loses a custom gradient (`tf.vectorized_map` does) the derivative of
  the forward pass takes its place. It is the same, but 0 for what was computed anew.
* A division that could meet 0 is fed 1 there and replaced by 0 afterwards: `tf.where`
  alone would still let the derivative of the branch not taken through, as 0 * inf.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import NamedTuple, Unpack

import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from statpool import _tensors
from statpool._options import OptionArguments, Options
from statpool._series import Series


def global_stats(
    x,
    mask=None,
    lengths=None,
    **options: Unpack[OptionArguments],
) -> tf.Tensor:
    """Pools statistics over time; see `statpool.global_stats`."""
    with _tensors.invalid_argument_errors():
        options = Options.check(**options)
    return pool(x, mask, lengths, options)


def pool(x, mask, lengths, options) -> tf.Tensor:
    """`global_stats` with options that are checked."""
    asked = mask
    x, mask, lengths = _tensors.check(x, mask, lengths, options)

    @tf.custom_gradient
    def pool_with_gradient(x):
        a = _tensors.activated(x, options)
        series = Series.of(a, mask, lengths, options)
        y, saved = _forward(series, options)

        def gradient(upstream):
            upstream = _tensors.check_upstream(x, upstream, options)
            of_a = _gradient(a, series, saved, upstream, options)
            return _tensors.activation_gradient(x, of_a, options)

        y = tf.cast(y, options.result_dtype(x.dtype))
        return y if options.keepdims else tf.squeeze(y, options.time), gradient

    return _tensors.marked(pool_with_gradient(x), asked)


def global_stats_gradient(
    x,
    upstream,
    mask=None,
    lengths=None,
    **options: Unpack[OptionArguments],
) -> tf.Tensor:
    """Gradient of `sum(upstream * global_stats(x, ...))` with respect to x.

    Differentiable with respect to x and upstream any number of times; the position of
    the max and min counts as constant.
    """
    with _tensors.invalid_argument_errors():
        options = Options.check(**options)
    x, mask, lengths = _tensors.check(x, mask, lengths, options)
    upstream = _tensors.check_upstream(x, upstream, options)
    a = _tensors.activated(x, options)
    series = Series.of(a, mask, lengths, options)
    _, saved = _forward(series, options)
    of_a = _gradient(a, series, saved, upstream, options)
    return _tensors.activation_gradient(x, of_a, options)


def piece(x, mask, lengths, options):
    """Returns what a `_streaming_state.Piece` has, of arguments that are checked."""
    series = Series.of(_tensors.activated(x, options), mask, lengths, options)
    scaled, per_unit = series.rescaled()
    mean = scaled.mean(scaled.x)
    rest = scaled.mean(scaled.where_valid(scaled.x - mean))
    std = _ROOTS["std"].value(scaled, mean)
    extremes = []
    for extreme in _EXTREMES.values():
        value = extreme.careful_value(series)
        ties = extreme.ties(series, value)
        extremes += [value, series.sum(tf.cast(ties, tf.int64))]
    planes = [mean / per_unit, rest / per_unit, *extremes, std / per_unit]
    return [tf.squeeze(plane, series.time) for plane in planes]


class _Saved(NamedTuple):
    """What the gradient needs of the forward pass, `[B, 1, C]` or `[B, C, 1]` each."""

    values: dict[str, tf.Tensor]  # extremes, and in units of their column all others
    per_unit: tf.Tensor  # 1 / that unit


def _forward(series, options):
    """The statistics side by side, with an axis of time, and what to save of them."""
    names = options.statistics
    extremes = [name for name in names if name in _EXTREMES]
    others = [name for name in names if name not in _EXTREMES]
    if "std" in names and "mean" not in names:
        others.append("mean")

    def careful(series):
        scaled, per_unit = series.rescaled()
        picked = {name: _EXTREMES[name].careful_value(series) for name in extremes}
        return _Saved(_values(scaled, others) | picked, per_unit)

    def side_by_side(saved):
        per_unit = saved.per_unit
        values = saved.values | {name: saved.values[name] / per_unit for name in others}
        return tf.concat([values[name] for name in names], options.channel)

    # Who watches all operations, as tf.debugging.enable_check_numerics() does, shall
    # see no overflow that is mended afterwards.
    is_watched = op_callbacks.should_invoke_op_callbacks()
    if not others or is_watched or not series.has_usual_epsilon():
        saved = careful(series)
        return side_by_side(saved), saved
    values = _values(series, (*others, *extremes))
    by_hand = _Saved(values, tf.ones_like(values[others[0]]))
    witness = _witness(values)
    are_finite = tf.reduce_sum(witness) < witness.dtype.max
    if tf.executing_eagerly():
        saved = by_hand if are_finite else careful(series)
        return side_by_side(saved), saved
    unseen = dataclasses.replace(series, x=tf.stop_gradient(series.x))
    anew = tf.cond(are_finite, lambda: _unseen(by_hand), lambda: careful(unseen))
    # NaN where the witness is not finite. A converter to ONNX multiplies by conditions
    # of another form, by which Inf becomes NaN.
    doubt = tf.sqrt(witness.dtype.max - witness)
    saved = tf.nest.map_structure(
        lambda *two: tf.where(tf.not_equal(doubt, doubt), *two), _unseen(anew), by_hand
    )
    return side_by_side(saved), saved


def _unseen(tensors):
    return tf.nest.map_structure(tf.stop_gradient, tensors)


def _values(series, names):
    """Statistics by name; those that need the mean share it."""
    mean = series.mean(series.x) if {"mean", "std"} & set(names) else None
    return {name: _STATISTICS[name].value(series, mean) for name in names}


def _witness(values):
    """The root with most in it: finite where a column and all sums of it are."""
    roots = [values[name] for name in _ROOTS if name in values]
    return roots[0] if roots else tf.abs(values["mean"])


def _gradient(x, series, saved, upstream, options):
    upstream = tf.cast(upstream, series.x.dtype)
    if not options.keepdims:
        upstream = tf.expand_dims(upstream, options.time)
    parts = tf.split(upstream, len(options.statistics), axis=options.channel)
    upstreams = dict(zip(options.statistics, parts, strict=True))
    contributions = [
        statistic.gradient(series, saved, upstreams[name])
        for name, statistic in _STATISTICS.items()
        if name in upstreams
    ]
    total = functools.reduce(operator.add, contributions)
    total = tf.broadcast_to(series.where_valid(total), tf.shape(series.x))
    total = tf.cast(total, x.dtype)
    if x.shape.as_list()[options.time]:
        return total
    steps = tf.shape(x)[options.time]
    return total[:, :steps] if options.time == 1 else total[:, :, :steps]


# ------------------------------------------------------------------------ statistics


class _Mean:
    def value(self, series, mean):
        return mean

    def gradient(self, series, saved, g):
        """The same for all steps: the axis of time keeps the size 1."""
        return g / series.count + _nan_of(saved.values["mean"])


@dataclasses.dataclass(frozen=True)
class _Extreme:
    name: str
    pick: Callable
    opposite: Callable
    latter: Callable  # of two, what is picked last
    last: str  # the finite number that is picked last, as dtypes name it

    def value(self, series, mean):
        return self._picked(series, self._last(series.x.dtype))

    def careful_value(self, series):
        """The value where x may hold Inf, or NaN, of which no graph has a constant."""
        x, last = series.x, self._last(series.x.dtype)
        if series.valid is not None:
            last = self.latter(self.opposite(x, series.time, keepdims=True), last)
        is_nan = tf.reduce_any(tf.not_equal(x, x), series.time, keepdims=True)
        nan_or_zero = tf.sqrt(-tf.cast(is_nan, x.dtype))  # -0, which changes nothing
        return self._picked(series, last) + nan_or_zero

    def _last(self, dtype):
        return tf.constant(getattr(dtype, self.last), dtype)

    def _picked(self, series, last):
        """What is picked of the steps that count, which come before the last."""
        x = series.x
        if series.valid is not None:
            some = tf.reduce_any(series.valid, series.time, keepdims=True)
            x = series.where_valid(x, tf.where(some, last, tf.zeros([], x.dtype)))
        return self.pick(x, series.time, keepdims=True)

    def ties(self, series, extreme):
        """Which steps equal the extreme."""
        return series.where_valid(tf.equal(series.x, extreme), False)

    def gradient(self, series, saved, g):
        extreme = saved.values[self.name]
        ties = self.ties(series, extreme)
        ways = series.sum(tf.cast(ties, g.dtype))
        # A column of NaN has no tie; 1 keeps the division, and its derivative, finite.
        return tf.where(ties, g / tf.maximum(ways, 1.0), _nan_of(extreme))


@dataclasses.dataclass(frozen=True)
class _Root:
    """sqrt(sum(d^2) / n + epsilon): d is x, or x - mean; n is 1, N, or N - 1."""

    name: str
    centred: bool
    averaged: bool

    def value(self, series, mean):
        squares = series.sum(tf.square(self._distances(series, mean)))
        squares = self._averaged(squares, series) + series.epsilon
        if not series.may_vanish:
            return tf.sqrt(squares)
        is_zero = tf.equal(squares, 0.0)
        return _where(is_zero, 0.0, tf.sqrt(_where(is_zero, 1.0, squares)))

    def gradient(self, series, saved, g):
        series = dataclasses.replace(series, x=series.x * saved.per_unit)
        distances = self._distances(series, saved.values.get("mean"))
        # In a column of huge values the deviations may vanish, whatever epsilon is.
        root = saved.values[self.name]
        is_zero = tf.equal(root, 0.0)
        inverse = _where(is_zero, 0.0, 1.0 / _where(is_zero, 1.0, root))
        return distances * inverse * self._averaged(g, series)

    def _distances(self, series, mean):
        return series.centred(mean) if self.centred else series.x

    def _averaged(self, values, series):
        if not self.averaged:
            return values
        return values / (series.freedom if self.centred else series.count)


_EXTREMES = {
    "max": _Extreme("max", tf.reduce_max, tf.reduce_min, tf.minimum, last="min"),
    "min": _Extreme("min", tf.reduce_min, tf.reduce_max, tf.maximum, last="max"),
}
_ROOTS = {  # those with larger squares below them come first
    "l2": _Root("l2", centred=False, averaged=False),
    "rms": _Root("rms", centred=False, averaged=True),
    "std": _Root("std", centred=True, averaged=True),
}
_STATISTICS = {"mean": _Mean(), **_EXTREMES, **_ROOTS}


def _where(condition, constant, values):
    return tf.where(condition, tf.constant(constant, values.dtype), values)


def _nan_of(statistic):
    """NaN where the statistic is, else 0."""
    is_nan = tf.not_equal(statistic, statistic)
    return tf.where(is_nan, statistic, tf.zeros_like(statistic))
