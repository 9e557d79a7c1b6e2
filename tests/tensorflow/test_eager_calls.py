"""Short ways of a single call from Python: taken where they may be, and only there."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _native


@pytest.fixture
def x():
    return tf.constant(np.random.default_rng(0).normal(size=(4, 10, 6)), tf.float32)


@pytest.mark.parametrize("output_dtype", [None, "float32"])
def test_ops_are_called_by_tensorflows_fast_way(x, output_dtype, monkeypatch):
    def fallback(*args, **kwargs):
        raise AssertionError("an argument is not what TensorFlow's fast way takes")

    for op in ("statpool_global_stats", "statpool_global_stats_grad"):
        monkeypatch.setattr(_native.ops(), f"{op}_eager_fallback", fallback)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = statpool.global_stats(x, output_dtype=output_dtype)
    assert tape.gradient(y, x).shape == x.shape


@pytest.fixture
def keras_calls(monkeypatch):
    """The layers of which Keras handled a call, instead of `call` alone."""
    handled = []
    handle = keras.layers.Layer.__call__

    def counted(layer, *args, **kwargs):
        handled.append(type(layer))
        return handle(layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", counted)
    return handled


Pooling = statpool.GlobalStatsPooling1D


def rematerialized():
    with keras.RematScope():
        return Pooling()


class Subclass(Pooling):
    pass


@pytest.mark.parametrize(
    ("layer_class", "shape"),
    [(Pooling, (4, 10, 6)), (statpool.GlobalStatsPooling2D, (4, 5, 2, 6))],
)
def test_a_lone_eager_tensor_goes_to_call_at_once(x, layer_class, shape, keras_calls):
    layer = layer_class()
    images = tf.reshape(x, shape)
    first = layer(images)  # builds
    assert keras_calls == [layer_class]
    np.testing.assert_array_equal(layer(images), first)
    assert keras_calls == [layer_class]


def test_the_first_call_is_keras_own_even_of_a_layer_that_is_built(x, keras_calls):
    layer = Pooling()
    layer.build(x.shape)
    layer(x)
    assert len(keras_calls) == 1


def with_mask(x):
    keras.src.backend.set_keras_mask(x, tf.sequence_mask([3, 10, 0, 7], 10))
    return x


CALLS = {
    "array": lambda layer, x: layer(x.numpy()),
    "another dtype": lambda layer, x: layer(tf.cast(x, "float64")),
    "mask": lambda layer, x: layer(with_mask(x)),
    "lengths": lambda layer, x: layer(x, lengths=[3, 4, 5, 6]),
    "by keyword": lambda layer, x: layer(inputs=x),
    "symbolic": lambda layer, x: layer(keras.Input((10, 6))),
    "function": lambda layer, x: tf.function(layer)(x),
    "captured": lambda layer, x: tf.function(lambda: layer(x))(),
}
LAYERS = {
    "regularizer": lambda: Pooling(activity_regularizer="l2"),
    "mixed precision": lambda: Pooling(dtype="mixed_bfloat16"),
    "rematerialized": rematerialized,
    "subclass": Subclass,
}


@pytest.mark.parametrize("what", [*CALLS, *LAYERS])
def test_keras_handles_all_other_calls(x, what, keras_calls):
    layer = LAYERS.get(what, Pooling)()
    layer(tf.identity(x))
    built = len(keras_calls)
    CALLS.get(what, lambda layer, x: layer(x))(layer, x)
    assert len(keras_calls) > built


def test_keras_words_the_error_of_a_wrong_rank(x):
    layer = Pooling()
    layer(x)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(x[0])
