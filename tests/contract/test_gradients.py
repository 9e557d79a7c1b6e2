"""Gradients against the exact formula, and against finite differences."""

import numpy as np
import pytest

from statpool import reference
from tests.support.cases import DTYPES, FORMATS, Case, cases_for
from tests.support.checks import check_gradient
from tests.support.exact import STATISTICS

SELECTIONS = [(name,) for name in STATISTICS]
SELECTIONS += [("mean", "max", "l2"), ("std", "mean"), ("min", "max"), ("rms", "l2")]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_at_many_sizes(implementation, dtype, data_format):
    for case in cases_for(implementation, dtype, data_format):
        check_gradient(implementation, case)


@pytest.mark.parametrize("selection", SELECTIONS, ids="-".join)
def test_gradient_of_each_selection(any_shape, selection):
    for values in ("normal", "relu"):
        check_gradient(any_shape, Case(2, 17, 9, values=values), selection)
        padded = Case(2, 17, 9, values=values, padding="both")
        check_gradient(any_shape, padded, selection)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_the_slope_of_the_values(any_shape, dtype, data_format):
    case = Case(2, 6, 3, dtype, "separated", "both", 1e-2, data_format)
    slope = _finite_differences(case, step=1e-5)
    gradient = any_shape.gradient(
        case.x(), case.upstream(), case.mask(), case.lengths(), **case.options()
    )
    # The differences are good to the step's square, the gradient to 16 u.
    np.testing.assert_allclose(gradient, slope, rtol=2e-6, atol=2e-6)


def _finite_differences(case, step):
    """Slopes of `sum(upstream * values)`, from the reference in float64."""
    x = case.x().astype(np.float64)
    upstream = case.upstream().astype(np.float64)

    def loss(x):
        y = reference.global_stats(x, case.mask(), case.lengths(), **case.options())
        return np.sum(upstream * y)

    slope = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        bump = np.zeros_like(x)
        bump[at] = step
        slope[at] = (loss(x + bump) - loss(x - bump)) / (2 * step)
    return slope
