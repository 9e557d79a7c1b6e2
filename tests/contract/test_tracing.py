"""What a graph knows before it runs: shapes, and what it has to leave to the run."""

import numpy as np
import pytest

TRACES = [
    ([None, None, None], {}, [None, None]),
    ([None, None, 7], {}, [None, 21]),
    ([4, None, 7], {"statistics": ("std", "min")}, [4, 14]),
    ([4, None, 7], {"keepdims": True}, [4, 1, 21]),
    ([4, 7, None], {"data_format": "channels_first"}, [4, 21]),
    ([None, 7, 9], {"data_format": "channels_first", "keepdims": True}, [None, 21, 1]),
    (None, {}, [None, None]),
]


@pytest.mark.parametrize(("shape", "options", "expected"), TRACES)
def test_static_shapes(differentiable, shape, options, expected):
    import tensorflow as tf

    function = tf.function(lambda x: differentiable.global_stats(x, **options))
    traced = function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    assert traced.output_shapes.as_list() == expected


def test_ranks_unknown_while_tracing(differentiable):
    import tensorflow as tf

    dtypes = (tf.float32, tf.bool, tf.int64)

    @tf.function(input_signature=[tf.TensorSpec(None, dtype) for dtype in dtypes])
    def pool(x, mask, lengths):
        return differentiable.global_stats(x, mask, lengths)

    x = np.arange(30, dtype=np.float32).reshape(2, 5, 3)
    mask, lengths = x[:, :, 0] > 3, np.array([5, 4])
    values = pool(x, mask, lengths).numpy()
    assert np.array_equal(values, differentiable.forward(x, mask, lengths))
    for bad, rule in (
        ((x[0], mask, lengths), "x must have rank 3"),
        ((x, mask[0], lengths), "mask must have shape"),
        ((x, mask, lengths[0]), "lengths must have shape"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
            pool(*bad)


def test_gradient_keeps_the_static_shape(differentiable):
    import tensorflow as tf

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = differentiable.global_stats(x)
        return tape.gradient(y, x)

    traced = gradient.get_concrete_function(tf.TensorSpec([None, None, 7], tf.float32))
    assert traced.output_shapes.as_list() == [None, None, 7]
