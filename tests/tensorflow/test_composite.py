"""What the composite promises beside the contract: light graphs, for any column."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from statpool import composite, reference
from statpool._options import STATISTICS


def pool(x, mask, lengths):
    return composite.global_stats(x, mask, lengths, statistics=STATISTICS)


def gradient(x, mask, lengths):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = pool(x, mask, lengths)
    return tape.gradient(y, x)


def dtypes_in(graph):
    """All dtypes in a graph and in the functions that it calls."""
    found = {tensor.dtype for op in graph.get_operations() for tensor in op.outputs}
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            found |= {
                tf.as_dtype(attr.type).base_dtype
                for attr in node.attr.values()
                if attr.type
            }
    return found


@pytest.mark.parametrize("function", [pool, gradient])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("padded", [False, True])
def test_no_float64_tensor(function, dtype, padded):
    spec = tf.TensorSpec([None, None, 4], dtype)
    padding = (
        (tf.TensorSpec([None, None], tf.bool), tf.TensorSpec([None], tf.int32))
        if padded
        else (None, None)
    )
    graph = tf.function(function).get_concrete_function(spec, *padding).graph
    assert tf.float32 in dtypes_in(graph)
    assert tf.float64 not in dtypes_in(graph)


def test_each_column_has_a_unit_of_its_own_inside_xla():
    """Huge, tiny and usual values, Inf and NaN side by side.

    Outside of XLA the contract's generated inputs are such.
    """
    rng = np.random.default_rng(0)
    scales = np.array([1e30, 1e-30, 1.0, 1.0, 0.0, 3e37])
    x = (rng.normal(size=(2, 7, 6)) * scales).astype(np.float32)
    x[1, 3, 2], x[0, 2, 3] = np.inf, np.nan
    mask = np.array([[1, 1, 1, 0, 1, 1, 0], [0, 1, 1, 1, 0, 1, 1]], bool)
    for epsilon in (0.0, 1e-12):
        options = {"statistics": STATISTICS, "epsilon": epsilon}

        @tf.function(jit_compile=True)
        def both(x, mask, options=options):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = composite.global_stats(x, mask, **options)
            return y, tape.gradient(y, x)

        y, dx = both(tf.constant(x), tf.constant(mask))
        expected = reference.global_stats(x, mask, **options)
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(y, expected.astype(np.float32), rtol=1e-5)
        expected = reference.global_stats_gradient(x, np.ones(y.shape), mask, **options)
        np.testing.assert_allclose(dx, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "statistics", list(itertools.permutations(STATISTICS, 2)), ids="-".join
)
def test_an_overflow_of_any_statistic_is_mended(statistics):
    """Deviations on 1e25 may be small enough for a std, whose mean is no matter."""
    steps = np.arange(8, dtype=np.float32).reshape(1, 8, 1)
    for x in (np.full((1, 8, 1), 1e25, np.float32), 1e36 + 1e31 * steps):
        y = composite.global_stats(x.astype(np.float32), statistics=statistics)
        expected = reference.global_stats(x.astype(np.float32), statistics=statistics)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-12 * x.max())


@pytest.mark.parametrize("statistics", [("std",), ("l2", "std"), ("rms", "std")])
@pytest.mark.parametrize("beside", [np.nan, np.inf, 1.0])
@pytest.mark.parametrize("constant", [2e12, 1e19, 1e30])
def test_a_huge_constant_column_has_a_gradient(statistics, beside, constant):
    """Its deviations vanish, and in its unit epsilon does too."""
    x = tf.constant([[constant, beside]] * 5)[tf.newaxis]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = composite.global_stats(x, statistics=statistics)
        std = tf.reduce_sum(y[:, -2:])
    dx = tape.gradient(std, x).numpy()[0]
    assert np.array_equal(dx[:, 0], np.zeros(5))
    assert np.isnan(dx[:, 1]).all() == (not np.isfinite(beside))
