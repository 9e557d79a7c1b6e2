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


def _rematerialized():
    with keras.RematScope():
        return statpool.GlobalStatsPooling1D()


class Subclass(statpool.GlobalStatsPooling1D):
    pass


@pytest.mark.parametrize(
    ("layer_class", "shape"),
    [
        (statpool.GlobalStatsPooling1D, (4, 10, 6)),
        (statpool.GlobalStatsPooling2D, (4, 5, 2, 6)),
    ],
)
def test_a_lone_eager_tensor_goes_to_call_at_once(x, layer_class, shape, keras_calls):
    layer = layer_class()
    images = tf.reshape(x, shape)
    first = layer(images)  # builds
    assert keras_calls == [layer_class]
    np.testing.assert_array_equal(layer(images), first)
    assert keras_calls == [layer_class]


def test_the_first_call_is_keras_own_even_of_a_layer_that_is_built(x, keras_calls):
    layer = statpool.GlobalStatsPooling1D()
    layer.build(x.shape)
    layer(x)
    assert len(keras_calls) == 1


def _with_mask(x):
    keras.src.backend.set_keras_mask(x, tf.sequence_mask([3, 10, 0, 7], 10))
    return x


@pytest.mark.parametrize(
    ("make", "call"),
    [
        (statpool.GlobalStatsPooling1D, lambda layer, x: layer(x.numpy())),
        (statpool.GlobalStatsPooling1D, lambda layer, x: layer(tf.cast(x, "float64"))),
        (statpool.GlobalStatsPooling1D, lambda layer, x: layer(_with_mask(x))),
        (
            statpool.GlobalStatsPooling1D,
            lambda layer, x: layer(x, lengths=[3, 4, 5, 6]),
        ),
        (statpool.GlobalStatsPooling1D, lambda layer, x: layer(inputs=x)),
        (statpool.GlobalStatsPooling1D, lambda layer, x: layer(keras.Input((10, 6)))),
        (statpool.GlobalStatsPooling1D, lambda layer, x: tf.function(layer)(x)),
        (
            statpool.GlobalStatsPooling1D,
            lambda layer, x: tf.function(lambda: layer(x))(),
        ),
        (
            lambda: statpool.GlobalStatsPooling1D(activity_regularizer="l2"),
            lambda layer, x: layer(x),
        ),
        (
            lambda: statpool.GlobalStatsPooling1D(dtype="mixed_bfloat16"),
            lambda layer, x: layer(x),
        ),
        (_rematerialized, lambda layer, x: layer(x)),
        (Subclass, lambda layer, x: layer(x)),
    ],
)
def test_keras_handles_all_other_calls(x, make, call, keras_calls):
    layer = make()
    layer(tf.identity(x))
    built = len(keras_calls)
    call(layer, x)
    assert len(keras_calls) > built


def test_keras_words_the_error_of_a_wrong_rank(x):
    layer = statpool.GlobalStatsPooling1D()
    layer(x)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(x[0])
