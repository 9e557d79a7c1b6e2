"""The contract of statpool in stock operations of JAX.

As `statpool.composite`, which says what the formulas are careful about; simpler,
because every column is computed in a unit of its own at once. `gradient` is
differentiable with respect to x; the position of the max and min counts as constant.
"""

import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp

from statpool._units import UNITS


def values(x, mask, lengths, options):
    """The statistics side by side, `[B, S * C]`, in the dtype of the output."""
    series = _Series.of(x, mask, lengths, options)
    found = [series.value(name) for name in options.statistics]
    y = jnp.concatenate(found, options.channel).squeeze(options.time)
    return y.astype(options.result_dtype(x.dtype))


def gradient(x, upstream, mask, lengths, options):
    """The gradient with respect to x, linear in the upstream `[B, S * C]`."""
    series = _Series.of(x, mask, lengths, options)
    upstream = jnp.expand_dims(upstream.astype(series.x.dtype), options.time)
    parts = jnp.split(upstream, len(options.statistics), options.channel)
    contributions = map(series.contribution, options.statistics, parts)
    total = functools.reduce(operator.add, contributions)
    total = jnp.where(series.valid, total, 0).astype(x.dtype)
    return _sloped(x, total, options)


def tangent(x, change, mask, lengths, options):
    """How the statistics change with x: the transpose of `gradient`."""
    y = values(x, mask, lengths, options)  # only its shape is looked at
    of_upstream = functools.partial(
        gradient, x, mask=mask, lengths=lengths, options=options
    )
    return jax.linear_transpose(of_upstream, y)(change)[0]


def _sloped(x, values, options):
    """Values of the dtype of x, times the slope of the input activation at x."""
    slope = options.slope_below_zero
    if slope == 1:
        return values
    return jnp.where(x > 0, values, values * jnp.asarray(slope, x.dtype))


class _Series(NamedTuple):
    """Sequences whose steps that don't count hold 0, in the dtype of their sums."""

    x: jax.Array  # [B, T, C] or [B, C, T]
    valid: jax.Array  # bool [B, T, 1] or [B, 1, T]
    count: jax.Array  # N, but 1 where no step counts
    per_unit: jax.Array  # 1 / the unit of a column, in which squares can be summed
    epsilon: jax.Array  # in squares of that unit
    time: int
    correction: int  # of std

    @classmethod
    def of(cls, x, mask, lengths, options):
        time = options.time
        is_relu = options.input_activation == "relu"  # 0 for -infinity, too
        a = jax.nn.relu(x) if is_relu else _sloped(x, x, options)
        a = a.astype(jnp.promote_types(a.dtype, jnp.float32))
        valid = jnp.ones((x.shape[0], x.shape[time]), bool) if mask is None else mask
        if lengths is not None:
            valid &= jnp.arange(x.shape[time]) < lengths[:, None]
        valid = jnp.expand_dims(valid, options.channel)
        a = jnp.where(valid, a, 0)
        count = jnp.maximum(valid.sum(time, keepdims=True), 1).astype(a.dtype)
        per_unit, epsilon = _units(a, options.epsilon, time)
        return cls(a, valid, count, per_unit, epsilon, time, options.correction)

    def value(self, name):
        if name in ("max", "min"):
            return self._extreme(name)
        return (self._mean() if name == "mean" else self._root(name)) / self.per_unit

    def contribution(self, name, g):
        """What a statistic with this upstream adds to the gradient."""
        if name == "mean":
            return g / self.count * _one_or_nan(self._mean())
        if name in ("max", "min"):
            extreme = jax.lax.stop_gradient(self._extreme(name))
            ties = self.valid & (self.x == extreme)
            ways = jnp.maximum(ties.sum(self.time, keepdims=True), 1)
            shared = jnp.where(ties, g / ways.astype(g.dtype), 0)
            return shared * _one_or_nan(extreme)
        root = self._root(name)
        is_zero = root == 0
        inverse = jnp.where(is_zero, 0, 1 / jnp.where(is_zero, 1, root))
        return self._distances(name) * inverse * (g / self._divisor(name))

    def _sum(self, values):
        return values.sum(self.time, keepdims=True)

    def _mean(self):
        return self._sum(self.x * self.per_unit) / self.count

    def _extreme(self, name):
        picks, first = {"max": (jnp.max, -jnp.inf), "min": (jnp.min, jnp.inf)}[name]
        picked = picks(
            self.x, self.time, keepdims=True, where=self.valid, initial=first
        )
        return jnp.where(self.valid.any(self.time, keepdims=True), picked, 0)

    def _root(self, name):
        squares = self._sum(jnp.square(self._distances(name))) / self._divisor(name)
        squares += self.epsilon
        is_zero = squares == 0
        return jnp.where(is_zero, 0, jnp.sqrt(jnp.where(is_zero, 1, squares)))

    def _distances(self, name):
        x = self.x * self.per_unit
        if name != "std":
            return x
        # Twice, for the rounding of the first mean; the second has the derivative.
        x = jnp.where(self.valid, x - jax.lax.stop_gradient(self._mean()), 0)
        return jnp.where(self.valid, x - self._sum(x) / self.count, 0)

    def _divisor(self, name):
        if name == "std":
            return jnp.maximum(self.count - self.correction, 1)
        return 1 if name == "l2" else self.count


def _units(x, epsilon, time):
    """1 / units, a constant for each column, and epsilon in their squares."""
    least, most, tiny, huge = UNITS[x.dtype.name]
    largest = jnp.max(jnp.abs(x), time, keepdims=True, initial=0)
    largest = jnp.maximum(jax.lax.stop_gradient(largest), epsilon**0.5)
    # With epsilon that counts, tiny values vanish beside it, and need no unit.
    tiny = tiny if epsilon < least**2 else 1.0
    is_huge, is_tiny = largest > most, (largest > 0) & (largest < least)

    def choose(of):
        constants = (jnp.asarray(of(unit), x.dtype) for unit in (huge, tiny, 1.0))
        of_huge, of_tiny, usual = constants
        return jnp.where(is_huge, of_huge, jnp.where(is_tiny, of_tiny, usual))

    return choose(lambda unit: 1 / unit), choose(lambda unit: epsilon / unit / unit)


def _one_or_nan(statistic):
    """NaN where the statistic is, else 1: a factor, because the gradient is linear."""
    return jnp.where(jnp.isnan(statistic), jnp.nan, jnp.ones_like(statistic))
