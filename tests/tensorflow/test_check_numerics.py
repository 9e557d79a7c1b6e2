"""The hunt for NaN and Inf stays silent where inputs and results are finite."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool._options import STATISTICS


@pytest.fixture(autouse=True)
def hunting():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


def series(kind):
    """Series `[3, T, 2]` with silent channels, and what to leave out of them."""
    x = np.random.default_rng(0).normal(size=(3, 6, 2)).astype(np.float32)
    x[:, :, 1] = 0
    if kind == "empty":
        return x[:, :0], None, None
    mask = np.array([[1, 1, 0, 1, 0, 0], [0] * 6, [1] * 6], bool)
    lengths = np.array([5, 3, 0])
    return x, *{
        "all": (None, None),
        "mask": (mask, None),
        "lengths": (None, lengths),
        "both": (mask, lengths),
    }[kind]


def pool(implementation, dtype, epsilon):
    def pooled(x, mask, lengths):
        how = {"epsilon": epsilon, "implementation": implementation}
        x = tf.cast(x, dtype)
        return statpool.global_stats(x, mask, lengths, statistics=STATISTICS, **how)

    return pooled


def first(pooled, scale=lambda y: y):
    def gradient(x, mask, lengths):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(scale(pooled(x, mask, lengths)))
        return tape.gradient(y, x)

    return gradient


def second(pooled):
    return first(first(pooled), tf.square)


ORDERS = {"values": lambda pooled: pooled, "gradient": first, "second": second}
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["native", "composite"])
KINDS = ("all", "mask", "lengths", "both", "empty")


@IMPLEMENTATIONS
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_false_alarm(implementation, order, kind):
    x, mask, lengths = series(kind)
    for dtype, epsilon in itertools.product(("float32", "float64"), (0.0, 1e-12)):
        function = ORDERS[order](pool(implementation, dtype, epsilon))
        assert np.isfinite(function(tf.constant(x), mask, lengths)).all()


@IMPLEMENTATIONS
@pytest.mark.parametrize("kind", ["both", "empty"])
def test_no_false_alarm_in_a_graph_of_unknown_sizes(implementation, kind):
    x, mask, lengths = series(kind)
    function = tf.function(second(pool(implementation, "float64", 0.0)))
    spec = tf.TensorSpec([None, None, None], tf.float32)
    traced = function.get_concrete_function(spec, mask, lengths)
    assert np.isfinite(traced(tf.constant(x), mask, lengths)).all()


@pytest.mark.parametrize("size", [1e-30, 1e30, 1e37])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_false_alarm_of_extreme_values(size, dtype):
    x = tf.constant(np.full((1, 3, 2), size, np.float32))
    for order in (pool, lambda *of: first(pool(*of))):
        assert np.isfinite(order("composite", dtype, 0.0)(x / 3, None, None)).all()


@IMPLEMENTATIONS
def test_a_nan_is_found(implementation):
    x, *padding = series("all")
    x[1, 2, 0] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="NaN"):
        pool(implementation, "float32", 1e-12)(x, *padding)
