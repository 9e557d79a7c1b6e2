"""Compares an implementation with the exact values of the contract."""

import functools
from fractions import Fraction

import ml_dtypes
import numpy as np

from tests.support import exact
from tests.support.cases import activation_slope, numpy_dtype, to_layout
from tests.support.exact import STATISTICS


def check_values(implementation, case, **options):
    """All statistics of a case lie within the bounds of the contract."""
    result = implementation.values_of(case, **options)
    output_dtype = numpy_dtype(options.get("output_dtype") or case.dtype)
    assert result.dtype == output_dtype
    bounded = _statistics(case, implementation.leeway(case.time))
    low, high = interval(bounded, STATISTICS, output_dtype, slack(implementation, case))
    assert_within(result, low, high, case)


def check_gradient(implementation, case, statistics=STATISTICS):
    """The gradient of a case, under a random upstream, lies within the bounds."""
    result = implementation.gradient_of(case, statistics=statistics)
    assert result.dtype == case.x().dtype
    result = to_layout(result, case.data_format)
    value, tolerance = _gradient(case, statistics, implementation.leeway(case.time))
    tolerance = tolerance + float(slack(implementation, case))
    if not implementation.is_exact_at_infinity:
        value[np.isinf(case.activated()) & case.valid()[:, :, None]] = np.nan
    assert_within(result, *rounded(value, tolerance, result.dtype), case)
    assert not result[~case.valid()].astype(float).any(), f"{case}: masked steps"


def check(implementation, case):
    """Both."""
    check_values(implementation, case)
    check_gradient(implementation, case)


def slopes(function, step, *point):
    """Finite differences of a number by every number of the arrays it depends on."""
    for array in (point := [a.astype(np.float64) for a in point]):
        slope = np.zeros_like(array)
        for at in np.ndindex(*array.shape):
            here = array[at]
            array[at] = here + step
            above = function(*point)
            array[at] = here - step
            slope[at] = (above - function(*point)) / (2 * step)
            array[at] = here
        yield slope


def interval(bounded, statistics, dtype, slack=Fraction(0)):
    """The least and greatest output `[B, S * C]`."""
    ends = [bounded[name].interval(dtype, slack) for name in statistics]
    return tuple(np.concatenate(end, axis=1) for end in zip(*ends, strict=True))


def rounded(value, tolerance, dtype):
    """The ends of value -+ tolerance, rounded to dtype."""
    return tuple(
        exact.round_to(end, dtype) for end in (value - tolerance, value + tolerance)
    )


def assert_within(result, low, high, what):
    """Every entry lies in its interval; NaN is where both ends are, and only there."""
    assert result.shape == low.shape, f"{what}: shape {result.shape} not {low.shape}"
    values = result.astype(np.float64)
    nan = np.isnan(low)
    right = np.where(nan, np.isnan(values), (low <= values) & (values <= high))
    if right.all():
        return
    at = tuple(int(i) for i in np.argwhere(~right)[0])
    value, least, most = (float(array[at]) for array in (values, low, high))
    raise AssertionError(
        f"{what}: {np.count_nonzero(~right)} of {right.size} entries are off, first "
        f"at {at}: {value} is not in [{least}, {most}]"
    )


def slack(implementation, case):
    """What flushing denormals may change: numbers below the least normal one.

    N of them may be taken for 0, each of which moves a mean by less than 1/N of that
    number, an l2 by less than its sqrt(N)-th multiple; and so may the result.
    """
    if not implementation.flushes_denormals or case.dtype == "float16":
        return Fraction(0)
    return Fraction(float(ml_dtypes.finfo(case.dtype).tiny)) * (case.time + 2)


@functools.lru_cache(maxsize=2048)
def _statistics(case, leeway):
    return exact.statistics(case.activated(), case.valid(), case.epsilon, leeway)


@functools.lru_cache(maxsize=2048)
def _gradient(case, statistics, leeway):
    x, a = to_layout(case.x(), case.data_format), case.activated()
    arguments = (case.valid(), case.upstream(statistics), statistics, case.epsilon)
    value, tolerance = exact.gradient(a, *arguments, leeway)
    slope = activation_slope(x, case.input_activation)
    # leaky_relu multiplies a rounded gradient, as TensorFlow's own does.
    once_more = np.abs(value) * float(ml_dtypes.finfo(x.dtype).eps) * (slope % 1 > 0)
    return value * slope, (tolerance + once_more) * slope
