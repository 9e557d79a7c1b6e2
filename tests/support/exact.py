"""What the contract asks for, computed without rounding, and how far off one may be.

A float is an integer times a power of two. So the sums of a column, and of its squares,
are exact in Python's integers, and every statistic is a fraction, or the root of one.
The bounds are those of the contract: u is half the distance of 1 to the next float, of
float64 for float64 input and of float32 for all other.
"""

import dataclasses
import math
from fractions import Fraction

import numpy as np

from statpool._options import STATISTICS

VALUE_UNITS, GRADIENT_UNITS = 8, 16  # u that a value and a gradient may be off
CENTRE_ERROR = Fraction(1, 2**50)  # of std, relative to the largest magnitude


def unit_roundoff(dtype) -> Fraction:
    return Fraction(1, 2**53 if np.dtype(dtype) == np.float64 else 2**24)


@dataclasses.dataclass(frozen=True)
class Bounded:
    """Exact values and how far a result may lie from each, before its last rounding.

    Both are arrays `[B, C]` of fractions; the value is a float where it is NaN or Inf.
    """

    value: np.ndarray
    bound: np.ndarray

    def interval(self, dtype, slack=Fraction(0)) -> tuple[np.ndarray, np.ndarray]:
        """The least and greatest result in dtype; rounding keeps the order."""
        bound = self.bound + slack
        return tuple(
            round_to(_floats(end), dtype)
            for end in (self.value - bound, self.value + bound)
        )


def statistics(x, valid, epsilon, leeway=1) -> dict[str, Bounded]:
    """All statistics of x `[B, T, C]` over the steps of valid `[B, T]`.

    Bounds are `leeway` times those of the contract.
    """
    u = unit_roundoff(x.dtype) * Fraction(leeway)
    centre, _ = _centre_errors(x.dtype, leeway)
    x = x.astype(np.float64)
    rows = [_row(x[b, valid[b]], Fraction(epsilon), u, centre) for b in range(len(x))]
    empty = [np.empty((0, x.shape[2]), object)]

    def stacked(name, part):
        return np.vstack([row[name][part][np.newaxis] for row in rows] or empty)

    return {name: Bounded(stacked(name, 0), stacked(name, 1)) for name in STATISTICS}


def _centre_errors(dtype, leeway) -> tuple[Fraction, Fraction]:
    """What the mean of std may be off: shares of the largest magnitude, and of std.

    An implementation whose sums have leeway takes the mean of what a first mean left.
    """
    if leeway == 1:
        return CENTRE_ERROR, Fraction(0)
    of_sum = VALUE_UNITS * Fraction(leeway) * unit_roundoff(dtype)
    return max(of_sum**2, CENTRE_ERROR), of_sum


def _row(x, epsilon, u, centre):
    """The statistics of one example `[N, C]`: name -> (values [C], bounds [C])."""
    finite = np.where(np.isfinite(x), x, 0.0)
    n = max(len(x), 1)
    # Parts, for integers of Python take much more memory than floats.
    parts = (_sums(finite[first : first + 4096]) for first in range(0, n, 4096))
    total, magnitude, square = map(sum, zip(*parts, strict=True))
    mean = total / n
    variance = square / n - mean * mean
    zero = np.full(x.shape[1], Fraction(0))
    ends = (finite.max(axis=0), finite.min(axis=0)) if len(x) else (zero, zero)
    largest, least = map(_fraction, ends)
    l2, rms, std = (_sqrt(s + epsilon) for s in (square, square / n, variance))
    exact = {
        "mean": (mean, VALUE_UNITS * u * magnitude / n),
        "max": (largest, zero),
        "min": (least, zero),
        "l2": (l2, VALUE_UNITS * u * l2),
        "rms": (rms, VALUE_UNITS * u * rms),
        "std": (std, VALUE_UNITS * u * std + centre * np.maximum(largest, -least)),
    }
    return _with_nonfinite(exact, x)


def _with_nonfinite(exact, x):
    """Puts the NaN and Inf that IEEE arithmetic gives where a column holds some."""
    special = ~np.isfinite(x).all(axis=0)
    if not special.any():
        return exact
    nan = np.isnan(x).any(axis=0)
    with np.errstate(invalid="ignore"):
        root = np.where(nan, np.nan, np.inf)
        ieee = {
            "mean": np.where(np.isfinite(x), 0.0, x).sum(axis=0),
            "max": x.max(axis=0),
            "min": x.min(axis=0),
            "l2": root,
            "rms": root,
            "std": np.full(x.shape[1], np.nan),
        }
    return {
        name: (
            # A finite max or min beside an Inf is as exact as any other.
            np.where(special, ieee[name].astype(object), value),
            np.where(special, Fraction(0), bound),
        )
        for name, (value, bound) in exact.items()
    }


def _sums(x):
    """Sums over axis 0 of finite x, of its magnitudes and of its squares."""
    mantissa, exponent = np.frexp(x)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    used = exponent[whole != 0]
    lowest = int(used.min()) if used.size else 0
    shift = np.where(whole != 0, exponent - lowest, 0)
    integers = whole.astype(object) << shift.astype(object)
    unit = _power_of_two(lowest - 53)
    sums = integers.sum(axis=0), abs(integers).sum(axis=0)
    return *(s * unit for s in sums), (integers * integers).sum(axis=0) * unit**2


def _power_of_two(exponent) -> Fraction:
    return Fraction(2) ** exponent


def _sqrt_of_fraction(square: Fraction) -> Fraction:
    """The root, to more than 100 bits; exact where it is a fraction of few bits."""
    if square == 0:
        return Fraction(0)
    size = square.denominator.bit_length() - square.numerator.bit_length()
    shift = 120 + max(size, 0) // 2 + square.denominator.bit_length() // 2
    root = math.isqrt((square.numerator << 2 * shift) // square.denominator)
    return Fraction(root, 1 << shift)


def _float_of_fraction(value) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


_sqrt = np.frompyfunc(_sqrt_of_fraction, 1, 1)
_float = np.frompyfunc(_float_of_fraction, 1, 1)


def _floats(values) -> np.ndarray:
    return _float(values).astype(np.float64)


def round_to(values, dtype) -> np.ndarray:
    """The values rounded to dtype, given back as float64."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return values.astype(dtype).astype(np.float64)


# -------------------------------------------------------------------------- gradient


def gradient(
    x, valid, upstream, names, epsilon, leeway=1
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient and how far a result may lie from it, before its last rounding.

    Args:
      x: `[B, T, C]`.
      valid: `[B, T]`.
      upstream: `[B, S * C]`, finite.
      names: The S statistics.
      epsilon: As in the contract.
      leeway: How many times the contract's bounds are allowed.

    Returns:
      Two float64 arrays `[B, T, C]`. The second allows 16 u of the sum of the
      magnitudes of the contributions, and what std may inherit from its mean; the first
      is itself rounded a few times, for which it allows 4 units of float64.
    """
    exact = statistics(x, valid, epsilon)
    u = float(GRADIENT_UNITS * leeway * unit_roundoff(x.dtype)) + 4 * 2.0**-53
    centre = [float(error) for error in _centre_errors(x.dtype, leeway)]
    x = np.where(valid[:, :, None], x.astype(np.float64), 0.0)
    n = np.maximum(valid.sum(axis=1), 1)[:, None, None].astype(float)
    total, tolerance = np.zeros_like(x), np.zeros_like(x)
    parts = upstream.astype(np.float64).reshape(len(x), 1, len(names), x.shape[2])
    with np.errstate(all="ignore"):
        for s, name in enumerate(names):
            value = exact[name].value[:, None, :]
            part, extra = _contribution(
                name, x, valid, parts[:, :, s], value, n, exact, centre
            )
            nan = np.isnan(_floats(value))
            total += np.where(nan, np.nan, part)
            tolerance += np.where(nan, 0.0, u * np.abs(part) + extra)
    keep = valid[:, :, None]
    return np.where(keep, total, 0.0), np.where(keep, tolerance, 0.0)


def _contribution(name, x, valid, g, value, n, exact, centre):
    """One statistic's part of the gradient, and the error it may have beyond 16 u."""
    if name == "mean":
        return np.broadcast_to(g / n, x.shape), 0.0
    if name in ("max", "min"):
        ties = valid[:, :, None] & (x == _floats(value))
        return np.where(ties, g / ties.sum(axis=1, keepdims=True), 0.0), 0.0
    mantissa, exponent = _scaled(value)
    d = np.ldexp(x, -exponent)
    if name == "std":
        mean = _times_power_of_two(exact["mean"].value[:, None, :], -exponent)
        high = _floats(mean)
        d = (d - high) - _floats(mean - _fraction(high))
    divisor = 1.0 if name == "l2" else n
    zero = _floats(value) == 0
    part = np.where(zero, 0.0, g * (d / mantissa) / divisor)
    if name != "std":
        return part, 0.0
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0.0)
    delta = np.ldexp(largest, -exponent) * centre[0] + mantissa * centre[1]
    inherited = np.abs(g) / (n * mantissa) * delta * (1 + np.abs(d / mantissa))
    # A std that may be all error has a gradient that may be anything a unit vector is.
    inherited = np.fmin(inherited, 2 * np.abs(g) / np.sqrt(n))
    return part, np.where(delta == 0, 0.0, inherited)


def _scaled(value):
    """Mantissa in [1/2, 2] and exponent: a root keeps its bits where it is denormal."""

    def split(v):
        if not isinstance(v, Fraction) or v == 0:
            return float(v), 0
        exponent = v.numerator.bit_length() - v.denominator.bit_length()
        return float(v / _power_of_two(exponent)), exponent

    mantissa, exponent = np.frompyfunc(split, 1, 2)(value)
    return mantissa.astype(np.float64), exponent.astype(np.int64)


_fraction = np.frompyfunc(lambda v: Fraction(v) if math.isfinite(v) else v, 1, 1)
_times_power_of_two = np.frompyfunc(lambda v, k: v * _power_of_two(int(k)), 2, 1)
