"""Values, and with them gradients, against exact sums."""

import pytest

from tests.support.cases import DTYPES, FORMATS, Case, cases_for
from tests.support.checks import check_gradient, check_values

CHECKS = [check_values, check_gradient]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_at_many_sizes(implementation, dtype, data_format):
    for case in cases_for(implementation, dtype, data_format):
        check_values(implementation, case)


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
