"""The exact values that everything else is compared with, against known numbers."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from tests.support import exact
from tests.support.checks import assert_within


def test_statistics_of_a_column_known_by_heart():
    x = np.array([3.0, -1.0, 4.0, 7.0, np.nan]).reshape(1, 5, 1)
    valid = np.array([[True, True, True, False, False]])
    values = exact.statistics(x, valid, 0.0)
    mean, square = Fraction(2), Fraction(26)
    roots = {"l2": square, "rms": square / 3, "std": square / 3 - mean**2}
    plain = {"mean": mean, "max": Fraction(4), "min": Fraction(-1)}
    for name, expected in plain.items():
        assert values[name].value[0, 0] == expected
    for name, expected in roots.items():
        assert abs(values[name].value[0, 0] ** 2 - expected) < Fraction(1, 2**100)


def test_sums_round_nothing():
    x = np.array([1e200, 1.0, -1e200, 2.0**-60]).reshape(1, 4, 1)
    value = exact.statistics(x, np.ones((1, 4), bool), 0.0)["mean"].value[0, 0]
    assert value == (1 + Fraction(1, 2**60)) / 4


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_bounds_of_one_value(dtype):
    """8 u of the mean magnitude and of the roots; nothing for max and min."""
    x = np.full((1, 3, 1), -2, np.dtype(getattr(ml_dtypes, dtype, dtype)))
    values = exact.statistics(x, np.ones((1, 3), bool), 0.0)
    u = Fraction(1, 2**53 if dtype == "float64" else 2**24)
    assert values["mean"].bound[0, 0] == 16 * u
    assert values["max"].bound[0, 0] == values["min"].bound[0, 0] == 0
    assert values["rms"].bound[0, 0] == 16 * u
    assert values["std"].bound[0, 0] == Fraction(2, 2**50)


def test_gradient_known_by_heart():
    x = np.array([3.0, 4.0, 4.0, 9.0]).reshape(1, 4, 1)
    valid = np.array([[True, True, True, False]])
    upstream = np.array([[6.0, 4.0, 1.0]])
    value, tolerance = exact.gradient(x, valid, upstream, ("mean", "max", "l2"), 0.0)
    root = 41**0.5
    expected = [2 + 3 / root, 2 + 2 + 4 / root, 2 + 2 + 4 / root, 0]
    np.testing.assert_allclose(value[0, :, 0], expected, rtol=1e-15)
    np.testing.assert_allclose(tolerance[0, :, 0], np.multiply(expected, 20 * 2.0**-53))


def test_an_interval_is_as_wide_as_the_bound_and_one_rounding():
    bounded = exact.Bounded(
        np.array([[Fraction(1), Fraction(10**6)]]), np.array([[Fraction(0)] * 2])
    )
    low, high = bounded.interval(np.float16)
    assert np.array_equal(low, [[1, np.inf]])
    assert np.array_equal(high, low)
    wide = exact.Bounded(bounded.value, np.array([[Fraction(1, 2**10)] * 2]))
    low, high = wide.interval(np.float16)
    assert np.array_equal(low, [[1 - 2.0**-10, np.inf]])
    assert np.array_equal(high, [[1 + 2.0**-10, np.inf]])


def test_what_is_out_of_its_interval_is_named():
    low = high = np.zeros((1, 2))
    assert_within(np.float32([[0, -0.0]]), low, high, "zeros")
    with pytest.raises(AssertionError, match=r"1 of 2 .* \(0, 1\): 1.4.*e-45"):
        assert_within(np.float32([[0, 1e-45]]), low, high, "a denormal")
    with pytest.raises(AssertionError, match="1 of 2"):
        assert_within(np.float32([[0, np.nan]]), low, high, "a NaN")
    with pytest.raises(AssertionError, match="2 of 2"):
        assert_within(np.zeros((1, 2)), low + np.nan, high + np.nan, "no NaN")
