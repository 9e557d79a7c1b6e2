"""The contract of statpool in NumPy, for reading and for testing.

Every other implementation promises to agree with this one. It takes float16, bfloat16,
float32 or float64 and computes in float64. Per example b and channel c, over the N[b]
steps that count:

| statistic | value                      | gradient at a step that counts            |
|-----------|----------------------------|-------------------------------------------|
| mean      | sum(x) / N                 | g / N                                     |
| max       | the largest x              | g / K where x is the max, K steps tie     |
| min       | the smallest x             | g / K where x is the min, K steps tie     |
| l2        | sqrt(sum(x^2) + epsilon)   | g * x / l2, and 0 where l2 = 0            |
| rms       | sqrt(mean(x^2) + epsilon)  | g * x / (N * rms), and 0 where rms = 0    |
| std       | sqrt(variance + epsilon)   | g * (x - mean) / (N * std), 0 where std = 0 |

With an input activation x is act(x), in the dtype of x, and the gradient is multiplied
by the slope: 1 where x > 0, below it that of the activation.

Steps that don't count never matter, whatever they hold, and get a gradient of exactly
0. Without a step that counts, mean, max and min are 0, the others sqrt(epsilon). A NaN
among the steps that count makes every statistic of its channel NaN, and a statistic
that is NaN makes every gradient of its channel NaN.

Two habits keep the numbers right. Time is moved to the last, contiguous axis, where
NumPy sums pairwise, so that the error hardly grows with T. And a column is scaled by a
power of two before it is summed or squared, which is exact and leaves no room for
overflow.
"""

import dataclasses
from typing import Unpack

import numpy as np

from statpool import _arrays, _inputs
from statpool._options import OptionArguments, Options, check_dtype

_quiet = np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")


@_quiet
def global_stats(
    x,
    mask=None,
    lengths=None,
    **options: Unpack[OptionArguments],
) -> np.ndarray:
    """Pools statistics over time.

    Args:
      x: Array `[B, T, C]`, or `[B, C, T]` with `data_format="channels_first"`.
      mask: bool `[B, T]`, True = keep; or None.
      lengths: int32 or int64 `[B]`, the steps before which count; or None.
      **options: statistics, epsilon, data_format and keepdims, as in
        `statpool.global_stats`.

    Returns:
      float64 `[B, S * C]`; with keepdims `[B, 1, S * C]`, channels first
      `[B, S * C, 1]`.

    Raises:
      ValueError: If an argument breaks the contract.
    """
    options = _check(options)
    columns = _columns(x, mask, lengths, options)
    values = [_STATISTICS[name].value(columns) for name in options.statistics]
    output = np.concatenate(values, axis=1)[:, :, 0]
    return output.reshape(options.output_shape(output.shape[0], columns.x.shape[1]))


@_quiet
def global_stats_gradient(
    x,
    upstream,
    mask=None,
    lengths=None,
    **options: Unpack[OptionArguments],
) -> np.ndarray:
    """Gradient of `sum(upstream * global_stats(x, ...))` with respect to x.

    Args:
      x: As for `global_stats`, and so are the arguments not named here.
      upstream: Array of the shape of the output of `global_stats`.
      mask: As for `global_stats`.
      lengths: As for `global_stats`.
      **options: As for `global_stats`.

    Returns:
      float64 of the shape of x.

    Raises:
      ValueError: If an argument breaks the contract.
    """
    options = _check(options)
    columns = _columns(x, mask, lengths, options)
    upstream = _upstream(upstream, columns, options)
    gradient = np.zeros_like(columns.x)
    for name, g in zip(options.statistics, upstream, strict=True):
        statistic = _STATISTICS[name]
        spoilt = np.isnan(statistic.value(columns))
        gradient += np.where(spoilt, np.nan, statistic.gradient(columns, g))
    gradient *= columns.slope
    gradient = np.where(columns.valid, gradient, 0.0)
    return np.moveaxis(gradient, 2, options.time)


@dataclasses.dataclass(frozen=True)
class _Columns:
    """The activated input, one column of time per example and channel."""

    x: np.ndarray  # [B, C, T] float64, 0 where a step doesn't count
    slope: np.ndarray  # [B, C, T], of the activation
    valid: np.ndarray  # [B, 1, T] bool, the steps that count
    count: np.ndarray  # [B, 1, 1] float64, N, but 1 without a step that counts
    epsilon: float
    correction: int  # of std


class _Mean:
    def value(self, columns):
        unit = _exponent(_largest(columns.x))
        total = _sum(np.ldexp(columns.x, -unit))
        return np.ldexp(total / columns.count, unit)

    def gradient(self, columns, g):
        return g / columns.count


@dataclasses.dataclass(frozen=True)
class _Extreme:
    pick: np.ufunc
    identity: float

    def value(self, columns):
        candidates = np.where(columns.valid, columns.x, self.identity)
        extreme = self.pick.reduce(
            candidates, axis=2, keepdims=True, initial=self.identity
        )
        nothing = ~columns.valid.any(axis=2, keepdims=True)
        return np.where(nothing, 0.0, extreme)

    def gradient(self, columns, g):
        ties = columns.valid & (columns.x == self.value(columns))
        return np.where(ties, g / ties.sum(axis=2, keepdims=True), 0.0)


@dataclasses.dataclass(frozen=True)
class _Root:
    """sqrt(sum(d^2) / n + epsilon): d is x, or x - mean; n is 1, N, or N - 1."""

    centred: bool
    averaged: bool

    def value(self, columns):
        _, root, unit = self._scaled(columns)
        return np.ldexp(root, unit)

    def gradient(self, columns, g):
        d, root, _ = self._scaled(columns)
        direction = np.where(root == 0, 0.0, d / root)
        return g * direction / self._divisor(columns)

    def _scaled(self, columns):
        """Returns d, the root and the k of the unit 2^k in which both are given."""
        unit = _exponent(np.maximum(_largest(columns.x), np.sqrt(columns.epsilon)))
        d = np.ldexp(columns.x, -unit)
        if self.centred:
            d = _centre(_centre(d, columns), columns)
        squares = _sum(np.square(d))
        epsilon = np.ldexp(columns.epsilon, -2 * unit)
        return d, np.sqrt(squares / self._divisor(columns) + epsilon), unit

    def _divisor(self, columns):
        if self.centred:
            return np.maximum(columns.count - columns.correction, 1.0)
        return columns.count if self.averaged else 1.0


_STATISTICS = {
    "mean": _Mean(),
    "max": _Extreme(np.maximum, identity=-np.inf),
    "min": _Extreme(np.minimum, identity=np.inf),
    "l2": _Root(centred=False, averaged=False),
    "rms": _Root(centred=False, averaged=True),
    "std": _Root(centred=True, averaged=True),
}


def _centre(d, columns):
    """D minus its mean; done twice it also removes the rounding of the first mean."""
    return np.where(columns.valid, d - _sum(d) / columns.count, 0.0)


def _sum(columns):
    """The sum over time, with more bits on the way where the machine has them."""
    return columns.sum(axis=2, keepdims=True, dtype=np.longdouble).astype(np.float64)


def _largest(x):
    """The largest magnitude in every column, 0 where there is no step."""
    return np.abs(x).max(axis=2, keepdims=True, initial=0.0)


def _exponent(magnitude):
    """The k with magnitude / 2^k in [1/2, 1), and 0 where there is none."""
    return np.frexp(np.where(np.isfinite(magnitude), magnitude, 0.0))[1]


def _check(options) -> Options:
    if "output_dtype" in options:
        raise TypeError("statpool.reference takes no output_dtype: it gives float64")
    return Options.check(**options)


def _columns(x, mask, lengths, options) -> _Columns:
    """Checks the inputs and lays them out as columns."""
    x, mask, lengths = _arrays.check(x, mask, lengths, options)
    x = _activated(np.moveaxis(x, options.time, 2), options)
    below = np.float64(x.dtype.type(options.slope_below_zero))
    valid = _arrays.valid_steps(x.shape[0], x.shape[2], mask, lengths)[:, np.newaxis, :]
    x = np.where(valid, np.ascontiguousarray(x, dtype=np.float64), 0.0)
    count = valid.sum(axis=2, keepdims=True, dtype=np.float64)
    slope = np.where(x > 0, 1.0, below)
    count = np.maximum(count, 1.0)
    return _Columns(x, slope, valid, count, options.epsilon, options.correction)


def _activated(x, options) -> np.ndarray:
    """The input activation of x, rounded to the dtype of x."""
    if options.input_activation is None:
        return x
    if options.input_activation == "relu":
        return np.maximum(x, x.dtype.type(0))
    return np.where(x > 0, x, x * x.dtype.type(options.negative_slope))


def _upstream(upstream, columns, options) -> np.ndarray:
    """Checks the upstream gradient and cuts it into `[S, B, C, 1]`."""
    upstream = np.asarray(upstream)
    check_dtype(upstream.dtype, "upstream")
    batch, channels, _ = columns.x.shape
    _inputs.check_upstream_shape(upstream.shape, options.output_shape(batch, channels))
    shape = (batch, len(options.statistics), channels, 1)
    return np.moveaxis(upstream.astype(np.float64).reshape(shape), 1, 0)
