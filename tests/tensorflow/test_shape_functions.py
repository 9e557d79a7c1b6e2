"""Shape inference of both ops: unknown stays unknown, and what is known is checked."""

import pytest
import tensorflow as tf

import statpool


def traced_shape(spec, **arguments):
    """The static shape of the result inside a tf.function."""
    shapes = []

    @tf.function(input_signature=[spec])
    def pool(x):
        y = statpool.global_stats(x, implementation="native", **arguments)
        shapes.append(y.shape)
        return y

    pool.get_concrete_function()
    return shapes[0]


@pytest.mark.parametrize(
    ("shape", "data_format", "expected"),
    [
        ((2, 5, 3), "channels_last", [2, 9]),
        ((2, 3, 5), "channels_first", [2, 9]),
        ((None, 5, 3), "channels_last", [None, 9]),
        ((2, None, 3), "channels_last", [2, 9]),
        ((2, 3, None), "channels_first", [2, 9]),
        ((2, 5, None), "channels_last", [2, None]),
        ((None, None, None), "channels_last", [None, None]),
        (None, "channels_last", [None, None]),
        ((0, 5, 0), "channels_last", [0, 0]),
    ],
)
def test_output_shape(shape, data_format, expected):
    spec = tf.TensorSpec(shape, tf.float32)
    assert traced_shape(spec, data_format=data_format).as_list() == expected


def test_output_shape_counts_the_statistics():
    spec = tf.TensorSpec((2, 5, 3), tf.float32)
    assert traced_shape(spec, statistics=("std", "min")).as_list() == [2, 6]
    assert traced_shape(spec, keepdims=True).as_list() == [2, 1, 9]
    first = {"data_format": "channels_first", "keepdims": True}
    assert traced_shape(spec, **first).as_list() == [2, 15, 1]


@pytest.mark.parametrize("shape", [(2, 5, 3), (None, None, 3), None])
def test_gradient_has_the_shape_of_x(shape):
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def gradient(x):
        y = statpool.global_stats(x, implementation="native")
        dx = tf.gradients(y, x)[0]
        rank3 = [None] * 3 if shape is None else list(shape)
        assert dx.shape.as_list() == rank3
        return dx

    gradient.get_concrete_function()


BROKEN = [
    ((2, 5), {}, r"x must have rank 3, \[B, T, C\], got shape \[2,5\]"),
    ((2, 5), {"data_format": "channels_first"}, r"rank 3, \[B, C, T\]"),
    ((2, 5, 3), {"mask": tf.ones([2, 4])}, r"mask.*\[2,5\], got shape \[2,4\]"),
    ((2, 5, 3), {"mask": tf.ones([2])}, r"mask.*\[2,5\], got shape \[2\]"),
    ((2, 5, 3), {"lengths": tf.ones(3)}, r"lengths.*\[2\], got shape \[3\]"),
]


@pytest.mark.parametrize(("shape", "arguments", "message"), BROKEN)
def test_broken_shapes_fail_while_tracing(shape, arguments, message):
    dtypes = {"mask": tf.bool, "lengths": tf.int64}
    for name in dtypes.keys() & arguments.keys():
        arguments = {name: tf.cast(arguments[name], dtypes[name])}
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=message):
        traced_shape(tf.TensorSpec(shape, tf.float32), **arguments)
