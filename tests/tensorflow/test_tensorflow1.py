"""Graphs and sessions of TensorFlow 1, where == compares identities."""

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference
from statpool._options import STATISTICS
from tests.support.fresh_process import call

IMPLEMENTATIONS = ("native", "composite")
MASK = np.array([[1, 0, 1, 1, 0]] * 2 + [[0] * 5], bool)
CASES = {
    "plain": (5, {}),
    "masked": (5, {"mask": MASK}),
    "of lengths": (5, {"lengths": np.array([5, 2, 0])}),
    "empty": (0, {}),
}


def input_of(case):
    return np.random.default_rng(0).normal(size=(3, CASES[case][0], 4))


def pooled(x, implementation, padding):
    how = {"statistics": STATISTICS, "implementation": implementation}
    return statpool.global_stats(x, **padding, **how)


def run(implementation, case):
    """Values, gradient and gradient of the gradient, from a graph of placeholders."""
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float64, [None, None, 4])
        y = pooled(x, implementation, CASES[case][1])
        (dx,) = tf.gradients(y, x)
        (ddx,) = tf.gradients(tf.reduce_sum(dx**2), x)
        with v1.Session() as session:
            return session.run([y, dx, ddx], {x: input_of(case)})


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_graph_in_a_session(implementation, case):
    x, padding = input_of(case), {**CASES[case][1], "statistics": STATISTICS}
    y, dx, ddx = run(implementation, case)
    np.testing.assert_allclose(y, reference.global_stats(x, **padding), rtol=1e-12)
    expected = reference.global_stats_gradient(x, np.ones(y.shape), **padding)
    np.testing.assert_allclose(dx, expected, rtol=1e-12, atol=1e-12)
    v = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(v)
        with tf.GradientTape() as inner:
            inner.watch(v)
            y = tf.reduce_sum(pooled(v, implementation, CASES[case][1]))
        penalty = tf.reduce_sum(inner.gradient(y, v) ** 2)
    np.testing.assert_allclose(ddx, outer.gradient(penalty, v), rtol=1e-9, atol=1e-12)


def in_version_1():
    """Results of all cases, and what is said of a bad mask."""
    messages = []
    tf.compat.v1.disable_tensor_equality()
    for implementation in IMPLEMENTATIONS:
        x = tf.zeros([2, 3, 1])
        try:
            pooled(x, implementation, {"mask": tf.ones([2, 4], tf.bool)})
        except tf.errors.InvalidArgumentError as error:
            messages.append(error.message)
        y = pooled(x, implementation, {}).numpy()
        np.testing.assert_allclose(y, [[0, 0, 0, 1e-6, 1e-6, 1e-6]] * 2, rtol=1e-6)
    tf.compat.v1.disable_v2_behavior()
    return messages, {(i, c): run(i, c) for i in IMPLEMENTATIONS for c in CASES}


def test_all_behaviour_of_version_1():
    messages, results = call(in_version_1)
    assert ["mask must have shape" in message for message in messages] == [True, True]
    for key, arrays in results.items():
        for array, expected in zip(arrays, run(*key), strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-12)
