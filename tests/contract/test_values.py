"""Values and gradients against exact sums, and against finite differences."""

import numpy as np
import pytest

from statpool import reference
from tests.support.cases import DTYPES, FORMATS, Case, cases_for
from tests.support.checks import check_gradient, check_values, slopes
from tests.support.exact import STATISTICS

CHECKS = [check_values, check_gradient]
SELECTIONS = [(name,) for name in STATISTICS]
SELECTIONS += [("mean", "max", "l2"), ("std", "mean"), ("min", "max"), ("rms", "l2")]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_at_many_sizes(implementation, dtype, data_format, check):
    for case in cases_for(implementation, dtype, data_format):
        check(implementation, case)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("values", ["relu", "ties", "negative"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_channels_with_ties_and_signs(any_shape, dtype, values, check):
    for padding in ("none", "both"):
        check(any_shape, Case(2, 9, 5, dtype, values, padding))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("epsilon", [0.0, 1e-30, 0.5, 1e10])
def test_epsilon_stands_under_the_root(any_shape, epsilon, check):
    for dtype in ("float32", "float64"):
        for values in ("normal", "relu"):
            check(any_shape, Case(2, 9, 5, dtype, values, epsilon=epsilon))


@pytest.mark.parametrize("selection", SELECTIONS, ids="-".join)
def test_gradient_of_each_selection(any_shape, selection):
    for values in ("normal", "relu"):
        for padding in ("none", "both"):
            case = Case(2, 17, 9, values=values, padding=padding)
            check_gradient(any_shape, case, selection)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_the_slope_of_the_values(any_shape, dtype, data_format):
    case = Case(2, 6, 3, dtype, "separated", "both", 1e-2, data_format)
    upstream = case.upstream().astype(np.float64)

    def loss(x):
        y = reference.global_stats(x, case.mask(), case.lengths(), **case.options())
        return np.sum(upstream * y)

    (slope,) = slopes(loss, 1e-5, case.x())
    # The differences are good to the step's square, the gradient to 16 u.
    gradient = any_shape.gradient_of(case)
    np.testing.assert_allclose(gradient, slope, rtol=2e-6, atol=2e-6)
