"""The gradient is differentiable again: by x, by the upstream, and once more."""

import numpy as np
import pytest

from statpool import reference
from tests.support.cases import DTYPES, FORMATS, Case, numpy_dtype
from tests.support.checks import slopes


@pytest.mark.parametrize(
    ("dtype", "activation", "correction", "data_format"),
    [
        ("float32", None, 0, FORMATS[0]),
        ("float64", "leaky_relu", 0, FORMATS[1]),
        ("float32", "relu", 1, FORMATS[1]),
    ],
)
def test_gradient_of_the_gradient(
    differentiable, dtype, activation, correction, data_format
):
    case = Case(2, 5, 3, dtype, "separated", "both", 1e-2, data_format, activation)
    weights = np.random.default_rng(3).normal(size=case.x().shape).astype(dtype)
    padding, options = (case.mask(), case.lengths()), case.options()
    options["correction"] = correction

    def loss(*point):
        gradient = reference.global_stats_gradient(*point, *padding, **options)
        return np.sum(weights.astype(np.float64) * gradient)

    inputs = case.x(), case.upstream()
    results = _second(differentiable, weights, *inputs, *padding, **options)
    for result, slope in zip(results, slopes(loss, 1e-5, *inputs), strict=True):
        # The differences are good to the step's square, the gradients to 16 u.
        np.testing.assert_allclose(result, slope, rtol=2e-6, atol=5e-6)


@pytest.mark.parametrize("epsilon", [0.0, 1e-12])
def test_gradient_of_the_gradient_of_zeros(differentiable, epsilon):
    """Zero beside the root of 0, else the curvature of the cone's rounded tip."""
    x = np.zeros((1, 4, 1))
    weights = np.array([1.0, 2.0, 3.0, 6.0]).reshape(x.shape)
    by_x, by_upstream = _second(
        differentiable,
        weights,
        x,
        np.ones((1, 6)),
        statistics=("mean", "max", "min", "l2", "rms", "std"),
        epsilon=epsilon,
    )
    bend = 1e6 if epsilon else 0.0
    tip = bend * (weights + weights / 4 + (weights - weights.mean()) / 4)
    np.testing.assert_allclose(by_x, tip, rtol=1e-9)
    # All steps tie, so that mean, max and min are the mean; a root has no slope at 0.
    mean = weights.mean()
    np.testing.assert_allclose(by_upstream, [[mean, mean, mean, 0, 0, 0]], rtol=1e-15)


def test_padding_does_not_leak_into_the_second_order(differentiable):
    case = Case(2, 5, 3, padding="both", epsilon=0.0)
    results = []
    for junk in (1.0, np.nan, np.inf):
        keep = case.valid()[:, :, None]
        x = np.where(keep, case.x(), np.float32(junk))
        weights = np.where(keep, np.ones_like(x), np.float32(junk))
        inputs = x, case.upstream(), case.mask(), case.lengths()
        results.append(_second(differentiable, weights, *inputs, **case.options()))
    by_x, _ = results[0]
    assert np.isfinite(by_x).all()
    assert not by_x[~case.valid()].any()
    for result in results[1:]:
        for array, same in zip(result, results[0], strict=True):
            assert array.tobytes() == same.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_order_has_the_dtypes_of_the_first(differentiable, dtype):
    case = Case(1, 3, 2, dtype)
    weights = np.ones(case.x().shape, numpy_dtype(dtype))
    by_x, by_upstream = _second(
        differentiable, weights, case.x(), case.upstream(), **case.options()
    )
    assert by_x.dtype == by_upstream.dtype == case.x().dtype
    assert np.isfinite(by_x.astype(float)).all()


@pytest.mark.parametrize("values", ["normal", "relu"])
def test_third_order_is_finite(differentiable, values):
    import tensorflow as tf

    case = Case(2, 5, 3, values=values, padding="both", epsilon=0.0)

    def third(x, upstream, mask, lengths):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as middle:
                middle.watch(x)
                dx = _first(differentiable, case.options(), x, upstream, mask, lengths)
            ddx = middle.gradient(dx, x)
        return outer.gradient(ddx, x)

    inputs = case.x(), case.upstream(), case.mask(), case.lengths()
    dddx = differentiable.run(third, *inputs, key=("third", case.options()))
    assert np.isfinite(dddx).all()
    assert not dddx[~case.valid()].any()


def test_forward_mode_agrees_with_the_gradient(differentiable):
    import tensorflow as tf

    case = Case(2, 5, 3, "float64", padding="both")
    tangent = np.random.default_rng(5).normal(size=case.x().shape)

    def along_tangent(x, tangent, mask, lengths):
        with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
            y = differentiable.global_stats(x, mask, lengths, **case.options())
        return accumulator.jvp(y)

    inputs = case.x(), tangent, case.mask(), case.lengths()
    slope = differentiable.run(along_tangent, *inputs, key="along tangent")
    along = np.sum(differentiable.gradient_of(case) * tangent)
    np.testing.assert_allclose(np.sum(case.upstream() * slope), along, rtol=1e-12)


def _first(implementation, options, x, upstream, mask, lengths):
    """The gradient, on tensors."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = implementation.global_stats(x, mask, lengths, **options)
    return tape.gradient(y, x, upstream)


def _second(implementation, weights, x, upstream, mask=None, lengths=None, **options):
    """Gradients of `sum(weights * gradient)` by x and by the upstream."""
    import tensorflow as tf

    def second(x, upstream, weights, mask, lengths):
        with tf.GradientTape() as tape:
            tape.watch((x, upstream))
            dx = _first(implementation, options, x, upstream, mask, lengths)
        return tape.gradient(dx, (x, upstream), weights, unconnected_gradients="zero")

    inputs = x, upstream, weights, mask, lengths
    return implementation.run(second, *inputs, key=("second", options))
