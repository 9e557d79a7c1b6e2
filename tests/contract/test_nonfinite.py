"""NaN and Inf among the steps that count."""

import numpy as np
import pytest

from tests.support import exact
from tests.support.cases import DTYPES, numpy_dtype
from tests.support.checks import assert_within, interval, rounded
from tests.support.exact import STATISTICS

NAN, INF = np.nan, np.inf
COLUMNS = np.array(
    [
        [1.0, 2.0, 3.0, 2.0, 3.0],
        [1.0, NAN, 3.0, 2.0, 3.0],
        [NAN, NAN, NAN, NAN, NAN],
        [1.0, 2.0, INF, 2.0, 3.0],
        [1.0, 2.0, -INF, 2.0, 3.0],
        [INF, 2.0, -INF, 2.0, 3.0],
        [INF, INF, INF, INF, INF],
        [-INF, -INF, -INF, -INF, -INF],
        [INF, -INF, NAN, 0.0, -0.0],
        [0.0, 0.0, 0.0, 0.0, NAN],
    ]
).T  # [T, C]
SELECTIONS = [*[(name,) for name in STATISTICS], STATISTICS]


def _input(dtype):
    """The columns, and once more behind a junk step that doesn't count."""
    x = np.stack([np.vstack([COLUMNS, np.full_like(COLUMNS[:1], NAN)])] * 2)
    x[1] = x[1, ::-1]
    mask = np.ones(x.shape[:2], bool)
    mask[0, -1] = mask[1, 0] = False
    return x.astype(numpy_dtype(dtype)), mask


@pytest.mark.parametrize("dtype", DTYPES)
def test_values(implementation, dtype):
    x, mask = _input(dtype)
    values = implementation.forward(x, mask, statistics=STATISTICS, epsilon=0.0)
    bounded = exact.statistics(x, mask, 0.0, implementation.leeway(x.shape[1]))
    assert_within(values, *interval(bounded, STATISTICS, x.dtype), dtype)


@pytest.mark.parametrize("selection", SELECTIONS, ids="-".join)
def test_gradients_of_each_selection(any_shape, selection):
    _check_gradient(any_shape, "float32", selection)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients(implementation, dtype):
    _check_gradient(implementation, dtype, STATISTICS)


def _check_gradient(implementation, dtype, selection):
    x, mask = _input(dtype)
    size = (len(x), len(selection) * x.shape[2])
    for upstream in (np.random.default_rng(0).normal(size=size), np.zeros(size)):
        upstream = upstream.astype(x.dtype)
        gradient = implementation.gradient(
            x, upstream, mask, statistics=selection, epsilon=0.0
        )
        leeway = implementation.leeway(x.shape[1])
        value, tolerance = exact.gradient(x, mask, upstream, selection, 0.0, leeway)
        if not implementation.is_exact_at_infinity:
            value[np.isinf(x) & mask[:, :, None]] = NAN
        assert_within(gradient, *rounded(value, tolerance, x.dtype), selection)


def test_one_nan_spoils_its_channel_and_no_other(implementation):
    x = np.ones((2, 5, 3), np.float32)
    x[1, 2, 1] = NAN
    values = implementation.forward(x, statistics=STATISTICS).reshape(2, -1, 3)
    spoilt = np.zeros((2, 3), bool)
    spoilt[1, 1] = True
    for of_statistic in np.isnan(values).swapaxes(0, 1):
        assert np.array_equal(of_statistic, spoilt)
    for name in STATISTICS:
        gradient = implementation.gradient(
            x, np.zeros((2, 3), np.float32), statistics=(name,)
        )
        assert np.array_equal(np.isnan(gradient), np.repeat(spoilt[:, None], 5, axis=1))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_nan_of_any_bits_survives_rounding(implementation, dtype):
    """All ones, rounded as a number is, would overflow to a zero."""
    x = np.ones((1, 40, 64), numpy_dtype(dtype))
    ones = np.array([0x7FFFFFFF, 0xFFFFFFFF] * 32, np.uint32).view(np.float32)
    gradient = implementation.gradient(
        x, ones[np.newaxis], statistics=("mean",), output_dtype="float32"
    )
    assert np.isnan(gradient).all()
