"""The contract of statpool from stock TensorFlow operations.

For export, for devices without a kernel of statpool's, and as the derivative of the
native op's gradient. `statpool.reference` explains the mathematics; what differs here:

* 16-bit and float32 input is summed in float64, which leaves no room for overflow,
  cancellation or a sum that loses its small terms. float64 input has no wider type: it
  is scaled by a power of two, and its sums are corrected for their rounding.
* The gradient is the explicit formula, not the derivative of the forward pass, and is
  built from differentiable operations. A division or root that could meet 0 is fed 1
  there and replaced by 0 afterwards: `tf.where` alone would still let the derivative of
  the branch not taken through, as 0 * inf.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Unpack

import tensorflow as tf

from statpool import _tensors
from statpool._accurate_sums import accurate_sum, accurate_sum_of_squares
from statpool._options import OptionArguments, Options


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
        def gradient(upstream):
            upstream = _tensors.check_upstream(x, upstream, options)
            return _gradient(x, upstream, mask, lengths, options)

        return _forward(x, mask, lengths, options), gradient

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
    return _gradient(x, upstream, mask, lengths, options)


def _forward(x, mask, lengths, options):
    x, mask = _with_a_step(x, mask, options)
    columns = _columns(x, mask, lengths, options)
    values = [_STATISTICS[name].value(columns) for name in options.statistics]
    output = tf.concat(values, axis=options.channel)
    output = tf.cast(output, options.result_dtype(x.dtype))
    return output if options.keepdims else tf.squeeze(output, axis=options.time)


def _gradient(x, upstream, mask, lengths, options):
    steps = tf.shape(x)[options.time]
    x, mask = _with_a_step(x, mask, options)
    columns = _columns(x, mask, lengths, options)
    upstream = tf.cast(upstream, tf.float64)
    if not options.keepdims:
        upstream = tf.expand_dims(upstream, options.time)
    parts = tf.split(upstream, len(options.statistics), axis=options.channel)
    contributions = [
        _STATISTICS[name].gradient(columns, g)
        for name, g in zip(options.statistics, parts, strict=True)
    ]
    total = columns.where_valid(tf.add_n(contributions))
    total = tf.cast(total, x.dtype)
    return total[:, :steps] if options.time == 1 else total[:, :, :steps]


def _with_a_step(x, mask, options):
    """Gives a series without steps one of 0, which has the statistics of an empty one.

    So no sum or maximum of nothing is taken, which might be infinite.
    """
    if x.shape.as_list()[options.time]:
        return x, mask
    missing = 1 - tf.minimum(tf.shape(x)[options.time], 1)
    of_x = [[0, missing if axis == options.time else 0] for axis in range(3)]
    of_mask = [[0, 0], [0, missing]]
    return tf.pad(x, of_x), None if mask is None else tf.pad(mask, of_mask)


# --------------------------------------------------------------------------- columns


@dataclasses.dataclass(frozen=True)
class _Columns:
    """The input as float64, and what the statistics share."""

    x: tf.Tensor  # [B, T, C] or [B, C, T], 0 where a step doesn't count
    scaled: tf.Tensor  # x in units of `unit`: sums and squares of it stay in range
    valid: tf.Tensor | None  # bool [B, T, 1] or [B, 1, T]; None if all steps count
    count: tf.Tensor  # N as float64, but 1 where no step counts: a sum of nothing
    # divided by it is 0; [B, 1, 1], or [] if all steps count
    unit: tf.Tensor | None  # a power of two per column; None for 1
    epsilon: tf.Tensor | float  # in squares of the unit
    time: int  # its axis

    def where_valid(self, values, otherwise=0.0):
        """The values at the steps that count, something else at the others."""
        if self.valid is None:
            return values
        return tf.where(self.valid, values, tf.cast(otherwise, values.dtype))

    def sum(self, values):
        """The sum over time."""
        if self.unit is None:
            return tf.reduce_sum(values, self.time, keepdims=True)
        return accurate_sum(values, self.time)

    def sum_of_squares(self, values):
        """The sum of squares over time."""
        if self.unit is None:
            return tf.reduce_sum(tf.square(values), self.time, keepdims=True)
        return accurate_sum_of_squares(values, self.time)

    @functools.cached_property
    def nan(self):
        """NaN for a column that holds one, else -0: no constant of NaN is needed."""
        is_spoilt = tf.reduce_any(tf.math.is_nan(self.x), self.time, keepdims=True)
        return tf.sqrt(-tf.cast(is_spoilt, self.x.dtype))

    @functools.cached_property
    def scaled_mean(self):
        return self.sum(self.scaled) / self.count

    @functools.cached_property
    def centred(self):
        """The scaled x minus its mean; 0 where a step doesn't count."""
        return self.where_valid(self.scaled - self.scaled_mean)

    def unscale(self, value):
        return value if self.unit is None else value * self.unit


def _columns(x, mask, lengths, options) -> _Columns:
    time = options.time
    steps = tf.shape(x, out_type=tf.int64)[time]
    valid = _valid_steps(steps, mask, lengths)
    if valid is None:
        count = tf.cast(steps, tf.float64)
    else:
        valid = tf.expand_dims(valid, options.channel)
        count = tf.reduce_sum(tf.cast(valid, tf.float64), time, keepdims=True)
        count = tf.maximum(count, 1.0)
        x = tf.where(valid, x, tf.zeros([], x.dtype))
    if x.dtype == tf.float64:
        scaled, unit, epsilon = _rescale(x, time, options.epsilon)
    else:
        x = scaled = tf.cast(x, tf.float64)
        unit, epsilon = None, options.epsilon
    return _Columns(x, scaled, valid, count, unit, epsilon, time)


def _valid_steps(steps, mask, lengths):
    """Which steps count, `[B, T]`: those that mask and lengths both allow."""
    if lengths is None:
        return mask
    within = tf.range(steps) < tf.cast(lengths, tf.int64)[:, tf.newaxis]
    return within if mask is None else tf.logical_and(within, mask)


def _rescale(x, time, epsilon):
    """Gives columns of huge values the unit 2^600, tiny ones 2^-600, all others 1.

    Returns:
      x in that unit, the unit, and epsilon in squares of it. They are chosen among
      constants: XLA turns x / unit / root into x / (unit * root), which may overflow.
    """
    largest = tf.reduce_max(tf.abs(tf.stop_gradient(x)), time, keepdims=True)
    huge = largest > 2.0**450
    # x may vanish beside a larger epsilon, which in tiny units would overflow.
    tiny_matters = epsilon < 2.0**-900
    tiny = tf.logical_and(0.0 < largest, largest < 2.0**-450)
    units = (2.0**600, 2.0**-600 if tiny_matters else 1.0, 1.0)

    def choose(constants):
        if_huge, if_tiny, otherwise = (tf.constant(c, tf.float64) for c in constants)
        return tf.where(huge, if_huge, tf.where(tiny, if_tiny, otherwise))

    scaled = x * choose(1.0 / unit for unit in units)
    return scaled, choose(units), choose(epsilon / unit / unit for unit in units)


# ------------------------------------------------------------------------ statistics


class _Mean:
    def value(self, columns):
        return columns.unscale(columns.scaled_mean)

    def gradient(self, columns, g):
        share = g / columns.count + _nan_of(columns.scaled_mean)
        return tf.broadcast_to(share, tf.shape(columns.x))


@dataclasses.dataclass(frozen=True)
class _Extreme:
    pick: Callable
    opposite: Callable

    def value(self, columns):
        x = columns.x
        if columns.valid is not None:  # a step that doesn't count is not picked
            x = columns.where_valid(x, self.opposite(x, columns.time, keepdims=True))
        return self.pick(x, columns.time, keepdims=True) + columns.nan

    def gradient(self, columns, g):
        extreme = tf.stop_gradient(self.value(columns))
        ties = columns.where_valid(tf.equal(columns.x, extreme), False)
        ways = tf.reduce_sum(tf.cast(ties, g.dtype), columns.time, keepdims=True)
        # A column of NaN has no tie; 1 keeps the division, and its derivative, finite.
        return tf.where(ties, g / tf.maximum(ways, 1.0), _nan_of(extreme))


@dataclasses.dataclass(frozen=True)
class _Root:
    """sqrt(sum(d^2) / n + epsilon): d is x, or x - mean; n is 1, or N."""

    centred: bool
    averaged: bool

    def value(self, columns):
        return columns.unscale(self._root(columns))

    def gradient(self, columns, g):
        root = self._root(columns)  # NaN and Inf do what they should: IEEE division
        zero = tf.equal(root, 0.0)
        direction = _where(zero, 0.0, self._d(columns) / _where(zero, 1.0, root))
        return g * direction / self._n(columns)

    def _root(self, columns):
        squares = columns.sum_of_squares(self._d(columns))
        square = squares / self._n(columns) + columns.epsilon
        zero = tf.equal(square, 0.0)
        return _where(zero, 0.0, tf.sqrt(_where(zero, 1.0, square)))

    def _d(self, columns):
        return columns.centred if self.centred else columns.scaled

    def _n(self, columns):
        return columns.count if self.averaged else 1.0


_STATISTICS = {
    "mean": _Mean(),
    "max": _Extreme(tf.reduce_max, opposite=tf.reduce_min),
    "min": _Extreme(tf.reduce_min, opposite=tf.reduce_max),
    "l2": _Root(centred=False, averaged=False),
    "rms": _Root(centred=False, averaged=True),
    "std": _Root(centred=True, averaged=True),
}


def _where(condition, constant, values):
    return tf.where(condition, tf.constant(constant, values.dtype), values)


def _nan_of(statistic):
    """NaN where the statistic is, else 0."""
    statistic = tf.stop_gradient(statistic)
    return tf.where(tf.math.is_nan(statistic), statistic, tf.zeros_like(statistic))
