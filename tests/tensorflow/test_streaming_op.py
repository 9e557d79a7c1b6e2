"""The op that updates a state: the algebra's bits, errors and no other operations."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from statpool import _native, streaming
from statpool.numpy import streaming as numpy_streaming
from statpool.streaming import State

B, T, C = 2, 5, 3
ERRORS = (tf.errors.InvalidArgumentError, ValueError, TypeError)


def pieces(dtype, exponent, seed):
    """Pieces and masks, some without a step, some with Inf and NaN among them."""
    random = np.random.default_rng(seed)
    for time in (7, 0, 1, 12):
        scale = 10.0 ** (exponent + random.integers(-3, 3))
        x = (scale * random.normal(size=(B, time, C))).astype(dtype)
        if time == 12 and seed == 3:
            x[0, 0] = np.inf, -np.inf, np.nan
        yield x, random.random((B, time)) < 0.5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [("float16", 0), ("float32", 0), ("float32", 30), ("float32", -35)]
    + [("float64", exponent) for exponent in (0, 135, 300, -135, -300)],
)
def test_bits_of_the_algebra(dtype, exponent, seed):
    """C++ has it once more: for speed, not for other results."""
    state, expected = streaming.init(B, C, dtype), numpy_streaming.init(B, C, dtype)
    for x, mask in pieces(dtype, exponent, seed):
        state = streaming.update(state, x, mask)
        expected = numpy_streaming.update(expected, x, mask)
    for field, a, b in zip(State._fields, state, expected, strict=True):
        assert a.dtype.as_numpy_dtype == b.dtype
        assert np.array_equal(a, b, equal_nan=True), field


def test_an_eager_update_is_one_operation():
    state, x = streaming.init(B, C), tf.ones([B, T, C])
    ran = []

    def note(op_type, inputs, attrs, outputs, op_name=None, graph=None):
        ran.append(op_type)

    op_callbacks.add_op_callback(note)
    try:
        streaming.update(state, x)
    finally:
        op_callbacks.remove_op_callback(note)
    assert ran == ["Statpool>StreamingUpdate"]


def update(**changes):
    arguments = {
        **streaming.init(B, C)._asdict(),
        "x": tf.ones([B, T, C]),
        "mask": [],
        "lengths": [],
        "Tout": tf.float32,
        "statistics": ("mean", "max", "min", "std"),
        "epsilon": "0.0",
        **changes,
    }
    return _native.ops().statpool_streaming_update(**arguments)


def traced(**changes):
    return tf.function(lambda: update(**changes)).get_concrete_function()


BROKEN = [
    ({"x": tf.ones([B, T])}, "x must have rank 3"),
    ({"x": tf.ones([B, T, C + 1])}, r"state must have shape \[B, C\]"),
    ({"x": tf.ones([B + 1, T, C])}, r"state must have shape \[B\]"),
    ({"count": tf.zeros([1], tf.int64)}, r"state must have shape \[B\]"),
    ({"sum_rest": tf.zeros([B, 1], tf.float64)}, r"state must have shape \[B, C\]"),
    ({"min_count": tf.zeros([], tf.int64)}, r"state must have shape \[B, C\]"),
    ({"mask": [tf.ones([B, T + 1], tf.bool)]}, r"mask must have shape \[B, T\]"),
]
BROKEN_WHEN_IT_RUNS = [
    ({"lengths": [tf.constant([0, T + 1], tf.int64)]}, r"lengths must lie in \[0, T\]"),
    ({"statistics": ("mean",)}, "statistics must be mean, max, min, std"),
    ({"epsilon": "1.0"}, "with epsilon 0"),
]


@pytest.mark.parametrize(("changes", "said"), BROKEN + BROKEN_WHEN_IT_RUNS)
def test_bad_calls_of_the_op(changes, said):
    with pytest.raises(ERRORS, match=said):
        update(**changes)


@pytest.mark.parametrize(("changes", "said"), BROKEN)
def test_bad_calls_while_tracing(changes, said):
    with pytest.raises(ERRORS, match=said):
        traced(**changes)


@pytest.mark.parametrize("implementation", ["native", "composite"])
@pytest.mark.parametrize(
    ("x", "said"),
    [
        (tf.ones([B, T, C + 1]), "state"),
        (tf.ones([1, T, C]), "state"),
        (tf.ones([B, T, C], tf.float64), "float32"),
    ],
)
def test_a_piece_that_does_not_fit(x, said, implementation):
    with pytest.raises(ERRORS, match=said):
        streaming.update(streaming.init(B, C), x, implementation=implementation)


def test_states_that_do_not_fit():
    state = streaming.init(B, C)
    for other in (
        streaming.init(1, C),
        streaming.init(B, C + 1),
        streaming.init(B, C, tf.float64),
        streaming.init(B, C, sum_dtype="float32"),
        tuple(state),
    ):
        with pytest.raises(ERRORS, match="must"):
            streaming.merge(state, other)
    with pytest.raises(ERRORS, match="sum_dtype must be"):
        streaming.init(B, C, "float64", sum_dtype="float32")
    with pytest.raises(ERRORS, match="output_dtype must be"):
        streaming.result(state, output_dtype="float64")


def test_the_gradient_is_that_of_the_algebra():
    """Of the piece, and of a state before it, to the last bit."""
    random = np.random.default_rng(0)
    first, x = (tf.constant(random.normal(size=(B, T, C))) for _ in range(2))
    upstream = tf.constant(random.normal(size=(B, 6 * C)))
    names = ("mean", "max", "min", "l2", "rms", "std")

    def gradients(x, first):
        with tf.GradientTape() as tape:
            tape.watch((x, first))
            state = streaming.update(streaming.init(B, C, x.dtype), first)
            y = streaming.result(streaming.update(state, x), names)
        return tape.gradient(y, (x, first), upstream)

    compiled = tf.function(gradients, jit_compile=True)  # where the op isn't taken
    for a, b in zip(gradients(x, first), compiled(x, first), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
