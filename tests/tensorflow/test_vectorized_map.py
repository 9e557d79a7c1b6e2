"""`tf.vectorized_map` calls the op once for all iterations, in XLA too."""

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool._options import STATISTICS

N, B, T, C = 3, 2, 5, 4
RNG = np.random.default_rng(0)
MANY = {
    "x": tf.constant(RNG.normal(size=(N, B, T, C))),
    "mask": tf.constant(RNG.random((N, B, T)) < 0.7),
    "lengths": tf.constant(RNG.integers(0, T + 1, size=(N, B))),
    "upstream": tf.constant(RNG.normal(size=(N, B, 3 * C))),
}

HOW = {
    "eager": lambda f: f,
    "graph": tf.function,
    "xla": lambda f: tf.function(f, jit_compile=True),
}
# What differs between iterations; the rest is the same in all of them.
VARYING = [("x",), ("mask",), ("lengths",), ("upstream",), ("mask", "upstream")]
VARYING.append(("x", "mask", "lengths", "upstream"))


def values(x, mask, lengths, upstream, **options):
    y = statpool.global_stats(x, mask, lengths, implementation="native", **options)
    return y * upstream


def gradient(x, mask, lengths, upstream, **options):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = values(x, mask, lengths, upstream, **options)
    return tape.gradient(y, x)


def second(x, **others):
    with tf.GradientTape() as tape:
        tape.watch(x)
        dx = gradient(x, **others)
    return tape.gradient(dx, x)


def mapped(function, varying, how, **options):
    """The results of vectorized_map, and those of a loop in Python."""
    same = {name: many[0] for name, many in MANY.items()}
    different = {name: MANY[name] for name in varying}

    def one(different):
        return function(**{**same, **different}, **options)

    def all_at_once(different):
        return tf.vectorized_map(one, different, fallback_to_while_loop=False)

    iterations = [{name: many[i] for name, many in different.items()} for i in range(N)]
    return how(all_at_once)(different), tf.stack([one(i) for i in iterations])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("varying", VARYING, ids="-".join)
@pytest.mark.parametrize("function", [values, gradient])
def test_equals_a_loop(function, varying, how):
    found, expected = mapped(function, varying, HOW[how])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("how", HOW)
def test_gradient_of_the_gradient(how):
    found, expected = mapped(second, ("x", "mask"), HOW[how])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"data_format": "channels_last", "epsilon": 0.25, "keepdims": False},
        {"statistics": ("std", "min", "rms"), "output_dtype": "float64"},
    ],
)
def test_keeps_the_options(options):
    found, expected = mapped(gradient, ("x",), tf.function, **options)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("implementation", ["native", "composite"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("epsilon", [1e-12, 0.0])
@pytest.mark.parametrize("varying", [("x",), ("x", "mask", "lengths")], ids="-".join)
def test_gradient_of_a_map(varying, epsilon, how, implementation):
    """The tape is outside, where TensorFlow loses custom gradients."""
    x = MANY["x"].numpy()
    x[..., 1], x[..., 2] = 0, -1  # a silent channel, and one that is constant
    inputs = {**{name: MANY[name] for name in varying}, "x": tf.constant(x)}
    options = {"statistics": STATISTICS, "epsilon": epsilon}

    def slope(call, implementation, x, **padding):
        def pool(arguments):
            how = {**options, "implementation": implementation}
            return statpool.global_stats(**arguments, **how)

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = call(pool, {"x": x, **padding})
        return tape.gradient(y, x)

    @HOW[how]
    def of_a_map(**inputs):
        return slope(tf.vectorized_map, implementation, **inputs)

    flat = {name: tf.reshape(t, [N * B, *t.shape[2:]]) for name, t in inputs.items()}
    expected = slope(lambda pool, arguments: pool(arguments), "native", **flat)
    found = of_a_map(**inputs)
    np.testing.assert_allclose(found, tf.reshape(expected, x.shape), atol=1e-10)


def test_unknown_sizes_and_a_loop_in_a_loop():
    x = tf.constant(RNG.normal(size=(2, N, B, T, C)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None] * 5, tf.float32)])
    def nested(x):
        def outer(x):
            return tf.vectorized_map(statpool.global_stats, x, False)

        return tf.vectorized_map(outer, x, False)

    expected = statpool.global_stats(tf.reshape(x, [-1, T, C]))
    np.testing.assert_array_equal(nested(x), tf.reshape(expected, [2, N, B, -1]))


def test_an_empty_batch():
    y = tf.vectorized_map(statpool.global_stats, tf.zeros([N, 0, T, C]), False)
    assert y.shape == (N, 0, 3 * C)
