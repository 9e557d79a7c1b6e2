"""The contract of statpool from stock TensorFlow operations, as light as by hand.

For export, for devices without a kernel of statpool's, and as the derivative of the
native op's gradient. `statpool.reference` explains the mathematics; what differs here:

* float64 input is summed in float64, all other in float32, by TensorFlow: the error of
  a sum may grow with its length (docs/contract.md).
* Values are those of the expression that one would write by hand. Where squares
  overflow, or x holds Inf or NaN, all are computed anew with care: in a unit for each
  column, and NaN apart. Graphs decide that when they run.
* The gradient is the explicit formula, not the derivative of the forward pass, and is
  built from differentiable operations, with the slope of a root in terms of itself. A
  division that could meet 0 is fed 1 there and replaced by 0 afterwards: `tf.where`
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
    x, mask, lengths = _tensors.check(x, mask, lengths, options)

    @tf.custom_gradient
    def pool_with_gradient(x):
        series = Series.of(x, mask, lengths, options)
        y, saved = _forward(series, options)

        def gradient(upstream):
            upstream = _tensors.check_upstream(x, upstream, options)
            return _gradient(x, series, saved, upstream, options)

        y = tf.cast(y, options.result_dtype(x.dtype))
        return y if options.keepdims else tf.squeeze(y, options.time), gradient

    return pool_with_gradient(x)


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
    series = Series.of(x, mask, lengths, options)
    _, saved = _forward(series, options)
    return _gradient(x, series, saved, upstream, options)


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

    def results(values, per_unit, saved):
        y = tf.concat([values[name] for name in names], options.channel)
        return y, per_unit, [saved[name] for name in (*others, *extremes)]

    def careful():
        scaled, unit, per_unit = series.rescaled()
        picked = {name: _EXTREMES[name].careful_value(series) for name in extremes}
        saved = _values(scaled, others)
        values = {name: value * unit for name, value in saved.items()}
        return results(values | picked, per_unit, saved | picked)

    # Who watches all operations, as tf.debugging.enable_check_numerics() does, shall
    # see no overflow that is mended afterwards.
    is_watched = op_callbacks.should_invoke_op_callbacks()
    if not others or is_watched or not series.has_usual_epsilon():
        y, per_unit, saved = careful()
    else:
        values = _values(series, (*others, *extremes))
        by_hand = results(values, tf.ones_like(values[others[0]]), values)
        y, per_unit, saved = tf.cond(_are_finite(values), lambda: by_hand, careful)
    return y, _Saved(dict(zip((*others, *extremes), saved, strict=True)), per_unit)


def _values(series, names):
    """Statistics by name; those that need the mean share it."""
    mean = series.mean(series.x) if {"mean", "std"} & set(names) else None
    return {name: _STATISTICS[name].value(series, mean) for name in names}


def _are_finite(values):
    """Whether x and all sums of it are finite: then the root with most in it is."""
    roots = [values[name] for name in _ROOTS if name in values]
    witness = roots[0] if roots else tf.abs(values["mean"])
    return tf.reduce_sum(witness) < witness.dtype.max


def _gradient(x, series, saved, upstream, options):
    upstream = tf.cast(upstream, series.x.dtype)
    if not options.keepdims:
        upstream = tf.expand_dims(upstream, options.time)
    parts = tf.split(upstream, len(options.statistics), axis=options.channel)
    upstreams = dict(zip(options.statistics, parts, strict=True))
    saved = tf.nest.map_structure(tf.stop_gradient, saved)
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
    last: str  # the number that is picked last, as dtypes name it

    def value(self, series, mean):
        if series.valid is None:
            return self.pick(series.x, series.time, keepdims=True)
        last = tf.constant(getattr(series.x.dtype, self.last), series.x.dtype)
        some = tf.reduce_any(series.valid, series.time, keepdims=True)
        x = series.where_valid(series.x, tf.where(some, last, tf.zeros_like(last)))
        return self.pick(x, series.time, keepdims=True)

    def careful_value(self, series):
        """The value where x may hold Inf, or NaN, of which no graph has a constant."""
        x = series.x
        if series.valid is not None:
            x = series.where_valid(x, self.opposite(x, series.time, keepdims=True))
        is_nan = tf.reduce_any(tf.not_equal(x, x), series.time, keepdims=True)
        nan_or_zero = tf.sqrt(-tf.cast(is_nan, x.dtype))  # -0, which changes nothing
        return self.pick(x, series.time, keepdims=True) + nan_or_zero

    def gradient(self, series, saved, g):
        extreme = saved.values[self.name]
        ties = series.where_valid(tf.equal(series.x, extreme), False)
        ways = series.sum(tf.cast(ties, g.dtype))
        # A column of NaN has no tie; 1 keeps the division, and its derivative, finite.
        return tf.where(ties, g / tf.maximum(ways, 1.0), _nan_of(extreme))


@dataclasses.dataclass(frozen=True)
class _Root:
    """sqrt(sum(d^2) / n + epsilon): d is x, or x - mean; n is 1, or N."""

    name: str
    centred: bool
    averaged: bool

    def value(self, series, mean):
        squares = series.sum(tf.square(self._distances(series, mean)))
        return tf.sqrt(self._averaged(squares, series) + series.epsilon)

    def gradient(self, series, saved, g):
        series = dataclasses.replace(series, x=series.x * saved.per_unit)
        distances = self._distances(series, saved.values.get("mean"))
        direction = self._direction(distances, saved.values[self.name], series)
        return direction * self._averaged(g, series)

    def _direction(self, distances, root, series):
        """Distances / root, and 0 where that is 0."""

        @tf.custom_gradient
        def root_of(distances):
            def gradient(upstream):
                direction = self._direction(distances, root, series)
                return direction * self._averaged(upstream, series)

            return tf.identity(root), gradient

        root_again = root_of(distances)
        if not series.may_vanish:
            return distances / root_again  # NaN and Inf do what they should
        is_zero = tf.equal(root, 0.0)
        return _where(is_zero, 0.0, distances / _where(is_zero, 1.0, root_again))

    def _distances(self, series, mean):
        return series.centred(mean) if self.centred else series.x

    def _averaged(self, values, series):
        return values / series.count if self.averaged else values


_EXTREMES = {
    "max": _Extreme("max", tf.reduce_max, opposite=tf.reduce_min, last="min"),
    "min": _Extreme("min", tf.reduce_min, opposite=tf.reduce_max, last="max"),
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
