"""The contract for generated inputs, of all kinds mixed."""

import dataclasses

import ml_dtypes
import numpy as np
from hypothesis import HealthCheck, given, settings

from tests.support.checks import check_gradient, check_values
from tests.support.generated import problems

# The implementation is a fixture, the same for all examples of a test.
GENERATE = settings(
    max_examples=80, suppress_health_check=[HealthCheck.differing_executors]
)


def _for(implementation, problem):
    """The problem without what the implementation says it doesn't keep apart."""
    if not implementation.takes_views:
        problem = dataclasses.replace(problem, view="contiguous")
    return problem


def _without_denormals(implementation, problem):
    """The problem with 0 for denormals, and for what makes some on the way.

    Whether they are flushed, and so tie with 0, changes a gradient by all of it.
    """

    def flushed(array):
        wide = np.float64 if array.dtype == np.float64 else np.float32
        least = max(implementation.least, 8)  # of which a leaky_relu is normal
        tiny = least * float(np.finfo(wide).tiny)
        tiny = max(tiny, float(ml_dtypes.finfo(array.dtype).tiny))
        return np.where(np.abs(array.astype(np.float64)) < tiny, 0, array)

    problem = _for(implementation, problem)
    return dataclasses.replace(
        problem,
        values=flushed(problem.values).astype(problem.values.dtype),
        gradients=flushed(problem.gradients).astype(problem.values.dtype),
    )


@GENERATE
@given(problem=problems(finite=False))
def test_values_of_anything(any_shape, problem):
    check_values(any_shape, _for(any_shape, problem))


@GENERATE
@given(problem=problems())
def test_gradients_of_anything_finite(any_shape, problem):
    check_gradient(any_shape, _without_denormals(any_shape, problem))


@GENERATE
@given(problem=problems(finite=False))
def test_gradients_of_anything(any_shape, problem):
    check_gradient(any_shape, _without_denormals(any_shape, problem))
