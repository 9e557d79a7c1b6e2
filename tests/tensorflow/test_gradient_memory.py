"""Where TensorFlow puts the gradient on a CPU: into x, if nobody else reads it."""

import sys

import numpy as np
import pytest
import tensorflow as tf

import statpool
from tests.support import fresh_process, memory


def gradient_of_sum(a, b, keeps_x, **options):
    """The gradient at x = a + b, and x if it is to be kept until after the gradient."""
    x = a + b
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = statpool.global_stats(x, implementation="native", **options)
    dx = tape.gradient(y, x)
    if not keeps_x:
        return dx
    with tf.control_dependencies([dx]):
        return dx, tf.identity(x)


# Whole vectors, parts of them, folded rows, transposed blocks, several splits of time.
@pytest.mark.parametrize("shape", [(2, 9, 32), (3, 41, 7), (2, 80, 20), (1, 70000, 3)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_gradient_in_the_memory_of_x_has_the_same_bits(shape, data_format, dtype):
    rng = np.random.default_rng(0)
    a = tf.cast(rng.normal(size=shape), dtype)
    b = tf.cast(rng.normal(size=shape), dtype)
    if data_format == "channels_first":
        a, b = (tf.transpose(t, [0, 2, 1]) for t in (a, b))
    graph = tf.function(gradient_of_sum, jit_compile=False)
    dx, x = graph(a, b, True, data_format=data_format)
    np.testing.assert_array_equal(x, a + b)
    np.testing.assert_array_equal(graph(a, b, False, data_format=data_format), dx)


def peak_of_a_gradient(keeps_x):
    a = tf.ones([16, 1024, 1024])  # 64 MiB
    graph = tf.function(gradient_of_sum, jit_compile=False)
    graph(a, a, keeps_x)
    return memory.peak_extra_bytes(lambda: graph(a, a, keeps_x))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
@pytest.mark.parametrize(("keeps_x", "tensors"), [(False, 1), (True, 2)])
def test_memory_of_a_gradient(keeps_x, tensors):
    peak = fresh_process.call(peak_of_a_gradient, keeps_x)
    assert peak == pytest.approx(tensors << 26, rel=0.1)
