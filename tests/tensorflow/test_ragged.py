"""Ragged tensors: sequences with the lengths of their rows."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference

LENGTHS = np.array([3, 0, 5, 1])
STEPS = np.random.default_rng(0).normal(size=(LENGTHS.sum(), 4)).astype(np.float32)
X = tf.RaggedTensor.from_row_lengths(STEPS, LENGTHS)
DENSE = X.to_tensor().numpy()
MASK = np.arange(20).reshape(4, 5) % 3 > 0
assert_close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


@pytest.fixture(params=["native", "composite"])
def implementation(request):
    return request.param


def test_rows_are_sequences(implementation):
    def pool(x, mask=None):
        return statpool.global_stats(x, mask, implementation=implementation)

    with tf.GradientTape() as tape:
        tape.watch(X.flat_values)
        y = pool(X)
    assert_close(y, reference.global_stats(DENSE, lengths=LENGTHS))
    found = tf.convert_to_tensor(tape.gradient(y, X.flat_values))
    upstream = np.ones((4, 12))
    dx = reference.global_stats_gradient(DENSE, upstream, lengths=LENGTHS)
    assert_close(found, dx[np.arange(5) < LENGTHS[:, np.newaxis]])
    in_a_function = tf.function(functools.partial(pool, mask=MASK))
    assert_close(in_a_function(X), reference.global_stats(DENSE, MASK, LENGTHS))


def test_rows_without_steps():
    x = tf.RaggedTensor.from_row_lengths(np.zeros((0, 2), np.float32), [0, 0])
    y = statpool.global_stats(x, statistics=("mean", "max"))
    np.testing.assert_array_equal(y, np.zeros((2, 4)))


def test_in_a_layer(implementation):
    layer = statpool.GlobalStatsPooling1D(implementation=implementation)
    inputs = keras.Input((None, 4), ragged=True)
    for call in (layer, keras.Model(inputs, layer(inputs))):
        assert_close(call(X), reference.global_stats(DENSE, lengths=LENGTHS))


TWICE = tf.ragged.constant([[[[1.0], [2.0]], []]], ragged_rank=2)
REFUSED = [
    ({"x": X, "lengths": LENGTHS}, "lengths must be None for a ragged x"),
    ({"x": X, "data_format": "channels_first"}, "channels_last"),
    ({"x": TWICE}, "2 ragged axes"),
    ({"x": tf.ragged.constant([[[1.0], [2.0, 3.0]]])}, "ragged in time alone"),
    ({"x": tf.ragged.constant([[1.0], [2.0, 3.0]])}, "got shape [2, None]"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_cannot_be(implementation, arguments, words):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        statpool.global_stats(**arguments, implementation=implementation)
    assert words in caught.value.message


def test_what_cannot_be_is_said_while_a_model_is_built():
    inputs = keras.Input((None, 4), ragged=True)
    lengths = keras.Input((), dtype="int32")
    with pytest.raises(ValueError, match="lengths must be None for a ragged x"):
        statpool.GlobalStatsPooling1D()(inputs, lengths=lengths)
    with pytest.raises(ValueError, match="channels_last"):
        statpool.GlobalStatsPooling1D(data_format="channels_first")(inputs)
    rows = tf.RaggedTensor.from_row_lengths(np.zeros((3, 4, 2), np.float32), [1, 2])
    with pytest.raises(ValueError, match="must be a dense tensor"):
        statpool.GlobalStatsPooling2D()(rows)
