"""The input activation: to the bit what pooling the activation of x gives."""

import ml_dtypes
import numpy as np
import pytest

from tests.support.cases import (
    DTYPES,
    FORMATS,
    Case,
    activated,
    activation_slope,
    numpy_dtype,
    to_layout,
)
from tests.support.exact import STATISTICS

ACTIVATIONS = ("relu", "leaky_relu")


def _agree(one, other, leeway=0.0):
    """NaN equals NaN, and zeros of both signs each other."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    return np.allclose(one, other, rtol=leeway, atol=0, equal_nan=True)


def _check(implementation, x, upstream, mask, activation, data_format):
    """Against the same implementation on activated x, and its gradient times slope."""
    options = {"statistics": STATISTICS, "data_format": data_format}
    x, a = to_layout(x, data_format), to_layout(activated(x, activation), data_format)
    values = implementation.forward(x, mask, input_activation=activation, **options)
    assert _agree(values, implementation.forward(a, mask, **options))
    gradient = implementation.gradient(
        x, upstream, mask, input_activation=activation, **options
    )
    of_a = implementation.gradient(a, upstream, mask, **options)
    slope = activation_slope(x, activation).astype(of_a.dtype)
    # The reference multiplies before it rounds, others a rounded gradient.
    is_exact = implementation.name == "reference"
    leeway = 2 * float(ml_dtypes.finfo(x.dtype).eps) * is_exact
    with np.errstate(invalid="ignore"):  # NaN stays NaN where the slope is 0
        assert _agree(gradient, of_a * slope, leeway)


@pytest.mark.parametrize(
    ("activation", "data_format"), [*zip(ACTIVATIONS, FORMATS, strict=True)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_activation_comes_first(implementation, dtype, activation, data_format):
    """Each in one layout; `tests.support.cases.bands` has them in both."""
    case = Case(2, 37, 9, dtype, padding="mask")
    inputs = case.x(), case.upstream(), case.mask()
    _check(implementation, *inputs, activation, data_format)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_edges_of_activation(implementation, dtype, activation):
    """Zeros tie, -infinity is 0 after relu, NaN stays, masked steps never matter."""
    nan, inf = np.nan, np.inf
    columns = [
        [-1, -2, 0, -0.0, -3],
        [-inf, -inf, -inf, -inf, -inf],
        [-inf, 2, 0, 2, -1],
        [nan, 1, -1, 0, 2],
        [-nan, 1, -1, 0, 2],
        [1, -1, 0, nan, -2],
        [3e38, -3e38, 1e-37, -1e-37, 0],
        [1, 2, 3, 4, 5],
    ]
    with np.errstate(over="ignore"):
        x = np.array(columns).T[None].astype(numpy_dtype(dtype))
    mask = np.array([[True, True, True, False, True]])
    upstream = np.linspace(-1, 2, 8 * len(STATISTICS))[None].astype(x.dtype)
    _check(implementation, x, upstream, mask, activation, "channels_last")
    if activation == "relu":
        values = implementation.forward(x, mask, input_activation=activation)
        assert not values[0, 8:10].any()  # the largest of what is below 0
