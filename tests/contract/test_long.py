"""Long series: the error doesn't grow with T, and counts don't run out of bits."""

import numpy as np
import pytest

from tests.support.cases import Case
from tests.support.checks import check, check_gradient, check_values
from tests.support.exact import STATISTICS


def steps(implementation, wanted):
    """Fewer for an interpreter, which needs 15 microseconds for an element.

    Still so many that one example is split.
    """
    return min(wanted, 20_000) if implementation.is_interpreted else wanted


@pytest.mark.parametrize("values", ["normal", "constant"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_million_steps(implementation, dtype, values):
    time = steps(implementation, 10**6)
    check_values(implementation, Case(1, time, 2, dtype, values))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_of_many_steps(implementation, dtype):
    time = steps(implementation, 10**5)
    check_gradient(implementation, Case(1, time, 2, dtype, padding="both"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_more_steps_than_16_bits_can_count(implementation, dtype):
    if implementation.is_interpreted and implementation.borrows_kernels:
        pytest.skip("the launchers count")
    check(implementation, Case(1, 70_001, 2, dtype, "ties"))


@pytest.mark.parametrize("values", ["largest", "denormal"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_extreme_values_in_a_single_long_example(implementation, dtype, values):
    """Where time is split, partial results have the range of whole ones."""
    time = steps(implementation, 200_000)
    check_values(implementation, Case(1, time, 2, dtype, values, epsilon=0.0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_selection_from_a_single_long_example(any_shape, dtype):
    """What is asked for beside a statistic doesn't change its bits."""
    case = Case(1, steps(any_shape, 200_000), 2, dtype)
    together = any_shape.values_of(case)
    for i, statistic in enumerate(STATISTICS):
        alone = any_shape.values_of(case, (statistic,))
        np.testing.assert_array_equal(alone, together[:, 2 * i : 2 * i + 2])


def test_sums_known_in_closed_form(implementation):
    n = 1000
    x = np.arange(1, n + 1, dtype=np.float64).reshape(1, n, 1)
    values = implementation.forward(
        x, statistics=("mean", "max", "min", "rms", "std"), epsilon=0.0
    )
    rms = np.sqrt((n + 1) * (2 * n + 1) / 6)
    std = np.sqrt((n * n - 1) / 12)
    np.testing.assert_allclose(values[0], [(n + 1) / 2, n, 1, rms, std], rtol=4e-15)
