"""Ragged tensors: sequences with the lengths of their rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference

LENGTHS = [3, 0, 5, 1]


@pytest.fixture(params=["native", "composite"])
def implementation(request):
    return request.param


def ragged():
    steps = np.random.default_rng(0).normal(size=(sum(LENGTHS), 4)).astype(np.float32)
    return tf.RaggedTensor.from_row_lengths(steps, LENGTHS)


def expected(x, mask=None):
    return reference.global_stats(x.to_tensor().numpy(), mask, np.array(LENGTHS))


def test_rows_are_sequences(implementation):
    x = ragged()
    y = statpool.global_stats(x, implementation=implementation)
    np.testing.assert_allclose(y, expected(x), rtol=1e-6, atol=1e-6)


def test_in_a_function_beside_a_mask(implementation):
    x = ragged()
    mask = np.arange(20).reshape(4, 5) % 3 > 0
    function = tf.function(
        lambda x: statpool.global_stats(x, mask, implementation=implementation)
    )
    np.testing.assert_allclose(function(x), expected(x, mask), rtol=1e-6, atol=1e-6)


def test_the_gradient_is_that_of_the_steps(implementation):
    x = ragged()
    with tf.GradientTape() as tape:
        tape.watch(x.flat_values)
        loss = tf.reduce_sum(statpool.global_stats(x, implementation=implementation))
    gradient = tf.convert_to_tensor(tape.gradient(loss, x.flat_values))
    dense = reference.global_stats_gradient(
        x.to_tensor().numpy(), np.ones((4, 12)), lengths=np.array(LENGTHS)
    )
    valid = np.arange(5) < np.array(LENGTHS)[:, None]
    np.testing.assert_allclose(gradient, dense[valid], rtol=1e-5, atol=1e-6)


def test_rows_without_steps():
    x = tf.RaggedTensor.from_row_lengths(np.zeros((0, 2), np.float32), [0, 0])
    y = statpool.global_stats(x, statistics=("mean", "max"))
    np.testing.assert_array_equal(y, np.zeros((2, 4)))


@pytest.mark.parametrize("functional", [False, True])
def test_in_a_layer(implementation, functional):
    x = ragged()
    layer = statpool.GlobalStatsPooling1D(implementation=implementation)
    model = layer
    if functional:
        inputs = keras.Input((None, 4), ragged=True)
        model = keras.Model(inputs, layer(inputs))
    np.testing.assert_allclose(model(x), expected(x), rtol=1e-6, atol=1e-6)


TWICE = tf.ragged.constant([[[[1.0], [2.0]], []]], ragged_rank=2)
REFUSED = [
    ({"x": ragged(), "lengths": LENGTHS}, "lengths must be None for a ragged x"),
    ({"x": ragged(), "data_format": "channels_first"}, "channels_last"),
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
    inputs, lengths = (
        keras.Input((None, 4), ragged=True),
        keras.Input((), dtype="int32"),
    )
    with pytest.raises(ValueError, match="lengths must be None for a ragged x"):
        statpool.GlobalStatsPooling1D()(inputs, lengths=lengths)
    with pytest.raises(ValueError, match="channels_last"):
        statpool.GlobalStatsPooling1D(data_format="channels_first")(inputs)


def test_ragged_images_are_refused():
    rows = tf.RaggedTensor.from_row_lengths(np.zeros((3, 4, 2), np.float32), [1, 2])
    with pytest.raises(ValueError, match="must be a dense tensor"):
        statpool.GlobalStatsPooling2D()(rows)
