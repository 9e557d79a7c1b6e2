"""Forward mode around, in and through functions: as the composite has it."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import statpool

X, V = (
    tf.constant(np.random.default_rng(seed).normal(size=(2, 7, 3)), tf.float64)
    for seed in (0, 1)
)


IMPLEMENTATIONS = ("native", "composite")


def pool(implementation, **options):
    def call(x):
        return statpool.global_stats(x, implementation=implementation, **options)

    return call


def gradient_of(function):
    def call(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(function(x) ** 3)
        return tape.gradient(loss, x)

    return call


def mapped(function):
    return lambda x: tf.map_fn(lambda one: function(one[None])[0], x)


def looped(function):
    def call(x):
        return tf.while_loop(
            lambda i, _: i < 2, lambda i, y: (i + 1, y + function(x)), (0, function(x))
        )[1]

    return call


AROUND = {
    "eager": lambda f: f,
    "function": tf.function,
    "function in function": lambda f: tf.function(lambda x: tf.function(f)(x)),
    "jit": lambda f: tf.function(f, jit_compile=True),
    "jit in function": lambda f: tf.function(
        lambda x: tf.function(f, jit_compile=True)(x)
    ),
    "map_fn": lambda f: tf.function(mapped(f)),
    "loop": lambda f: tf.function(looped(f)),
}


def forward(function):
    """The derivative of function(x) along V, by an accumulator outside."""
    with tf.autodiff.ForwardAccumulator(X, V) as accumulator:
        y = function(X)
    return accumulator.jvp(y)


@functools.cache
def expected_of_the_gradient():
    return forward(gradient_of(pool("composite")))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("options", [{}, {"statistics": ("std", "min", "rms")}])
def test_of_the_values(around, options, implementation):
    wrap = AROUND[around]
    plain = {"loop": looped, "map_fn": mapped}.get(around, lambda f: f)
    expected = forward(plain(pool("composite", **options)))
    found = forward(wrap(pool(implementation, **options)))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("around", [k for k in AROUND if k not in ("map_fn", "loop")])
@pytest.mark.parametrize("tape", ["outside", "inside"])
def test_over_reverse_mode(around, tape, implementation):
    """Hessian-vector products, the tape around the function or in it."""
    wrap = AROUND[around]
    expected = expected_of_the_gradient()
    pooled = pool(implementation)
    product = (
        gradient_of(wrap(pooled)) if tape == "outside" else wrap(gradient_of(pooled))
    )
    np.testing.assert_allclose(forward(product), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_over_reverse_mode_all_in_a_function(implementation):
    product = gradient_of(pool(implementation))
    expected = expected_of_the_gradient()
    found = tf.function(lambda: forward(product))()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
