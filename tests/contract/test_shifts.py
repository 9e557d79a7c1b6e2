"""std knows nothing of what all steps have in common: not where its mean is rounded."""

import numpy as np
import pytest

UNIT = {"float32": 2.0**-24, "float64": 2.0**-53}


@pytest.mark.parametrize(
    ("dtype", "shift", "deviation"),
    # Seconds of the epoch, 10 microseconds apart, are 42 numbers of float64 apart.
    [("float32", 1000, 0.01), ("float64", 1.7e9, 1e-5), ("float64", 1e3, 1e-12)],
)
def test_the_gradient_of_std_adds_up_to_zero(implementation, dtype, shift, deviation):
    random = np.random.default_rng(0)
    x = (shift + deviation * random.normal(size=(2, 200, 3))).astype(dtype)
    upstream = random.normal(size=(2, 3)).astype(dtype)
    gradient = implementation.gradient(x, upstream, statistics=("std",)).astype(float)
    off = np.abs(gradient.sum(axis=1)) / np.abs(gradient).sum(axis=1)
    assert off.max() <= 16 * UNIT[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("time", [3, 1000])
def test_equal_steps_have_no_gradient_without_epsilon(implementation, dtype, time):
    x = np.full((1, time, 2), 0.1, dtype)
    upstream = np.ones((1, 2), dtype)
    options = {"statistics": ("std",), "epsilon": 0.0}
    gradient = implementation.gradient(x, upstream, **options)
    assert not gradient.any()
