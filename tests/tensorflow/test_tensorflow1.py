"""Graphs and sessions of TensorFlow 1, where == compares identities."""

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference
from statpool._options import STATISTICS
from tests.support.fresh_process import call

CASES = {
    "plain": ((3, 5, 4), None, None),
    "masked": ((3, 5, 4), np.array([[1, 0, 1, 1, 0]] * 2 + [[0] * 5], bool), None),
    "of lengths": ((3, 5, 4), None, np.array([5, 2, 0])),
    "empty": ((3, 0, 4), None, None),
}


def pooled(x, mask, lengths, implementation):
    return statpool.global_stats(
        x, mask, lengths, statistics=STATISTICS, implementation=implementation
    )


def run(implementation, case):
    """Values, gradient and gradient of the gradient, from a graph of placeholders."""
    shape, mask, lengths = CASES[case]
    array = np.random.default_rng(0).normal(size=shape)
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float64, [None, None, 4])
        y = pooled(x, mask, lengths, implementation)
        (dx,) = tf.gradients(y, x)
        (ddx,) = tf.gradients(tf.reduce_sum(dx**2), x)
        with v1.Session() as session:
            return session.run([y, dx, ddx], {x: array})


def check(implementation, case):
    shape, mask, lengths = CASES[case]
    x = np.random.default_rng(0).normal(size=shape)
    y, dx, ddx = run(implementation, case)
    padding = {"mask": mask, "lengths": lengths, "statistics": STATISTICS}
    np.testing.assert_allclose(y, reference.global_stats(x, **padding), rtol=1e-12)
    upstream = np.ones(y.shape)
    expected = reference.global_stats_gradient(x, upstream, **padding)
    np.testing.assert_allclose(dx, expected, rtol=1e-12, atol=1e-12)
    v = tf.constant(x)
    with tf.GradientTape() as outer:
        outer.watch(v)
        with tf.GradientTape() as inner:
            inner.watch(v)
            y = tf.reduce_sum(pooled(v, mask, lengths, implementation))
        penalty = tf.reduce_sum(inner.gradient(y, v) ** 2)
    np.testing.assert_allclose(ddx, outer.gradient(penalty, v), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("implementation", ["native", "composite"])
def test_a_graph_in_a_session(implementation, case):
    check(implementation, case)


def without_eager_execution(implementation):
    tf.compat.v1.disable_v2_behavior()
    results = [run(implementation, case) for case in CASES]
    return [[array.tolist() for array in arrays] for arrays in results]


@pytest.mark.parametrize("implementation", ["native", "composite"])
def test_all_behaviour_of_version_1(implementation):
    results = call(without_eager_execution, implementation)
    for case, arrays in zip(CASES, results, strict=True):
        for array, expected in zip(arrays, run(implementation, case), strict=True):
            array = np.reshape(array, expected.shape)
            np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-12)


def a_bad_mask_without_tensor_equality(implementation):
    tf.compat.v1.disable_tensor_equality()
    x = tf.zeros([2, 3, 1])
    try:
        pooled(x, tf.ones([2, 4], tf.bool), None, implementation)
    except tf.errors.InvalidArgumentError as error:
        return pooled(x, None, None, implementation).numpy().tolist(), error.message
    return None


@pytest.mark.parametrize("implementation", ["native", "composite"])
def test_tensors_that_compare_by_identity(implementation):
    values, message = call(a_bad_mask_without_tensor_equality, implementation)
    np.testing.assert_allclose(values, [[0, 0, 0, 1e-6, 1e-6, 1e-6]] * 2, rtol=1e-6)
    assert "mask must have shape" in message
