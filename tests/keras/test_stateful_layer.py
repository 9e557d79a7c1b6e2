"""A stateful layer: sequences that go on from call to call."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference

NAMES = ("mean", "max", "std")
X = np.random.default_rng(0).normal(size=(4, 30, 6)).astype("float32")
CUTS = (0, 7, 7, 8, 30)


def chunks(array=X):
    return [array[:, a:b] for a, b in itertools.pairwise(CUTS)]


def model_of(batch=4, **arguments):
    layer = statpool.GlobalStatsPooling1D(NAMES, stateful=True, **arguments)
    inputs = keras.Input(batch_shape=(batch, None, 6))
    return keras.Model(inputs, layer(inputs)), layer


def expected(x, **options):
    return reference.global_stats(x, statistics=NAMES, **options)


def test_each_call_goes_on():
    model, layer = model_of()
    for _ in range(2):
        for end, chunk in zip(CUTS[1:], chunks(), strict=True):
            y = model.predict(chunk, batch_size=4, verbose=0)
            np.testing.assert_allclose(y, expected(X[:, :end]), rtol=1e-5, atol=1e-6)
        layer.reset_state()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_masks_lengths_and_options(data_format):
    layer = statpool.GlobalStatsPooling1D(
        NAMES, data_format=data_format, keepdims=True, correction=1, stateful=True
    )
    lengths = np.array([7, 3, 0, 5])
    mask = np.random.default_rng(1).random((4, 23)) < 0.5
    first, second = X[:, :7], X[:, 7:]
    if data_format == "channels_first":
        first, second = first.swapaxes(1, 2), second.swapaxes(1, 2)
    layer(first, lengths=lengths)
    y = np.squeeze(layer(second, mask=mask), 1 if data_format == "channels_last" else 2)
    valid = np.hstack([np.arange(7) < lengths[:, None], mask])
    want = expected(X, mask=valid, correction=1)
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_sums_keep_their_width(policy):
    model, layer = model_of(dtype=policy)
    for chunk in chunks():
        y = model(chunk)
    assert y.dtype == layer.compute_dtype
    near = {"float64": 1e-6, "mixed_float16": 2e-3}[policy]
    np.testing.assert_allclose(y, expected(X), rtol=near, atol=near)
    assert keras.backend.standardize_dtype(layer.state.sum.dtype) == "float64"


def test_a_saved_stream_goes_on(tmp_path):
    model, _ = model_of()
    model(X[:, :7])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X[:, 7:]), model(X[:, 7:]))


def test_an_exported_stream_goes_on(tmp_path):
    model, _ = model_of()
    statpool.export(model, tmp_path / "model")
    loaded = tf.saved_model.load(tmp_path / "model")
    for chunk in chunks():
        y = loaded.serve(chunk)
    np.testing.assert_allclose(y, expected(X), rtol=1e-5, atol=1e-5)


def test_training_takes_the_past_for_constant():
    model, _ = model_of()
    model(X[:, :7])
    x = tf.constant(X[:, 7:])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
    upstream = np.random.default_rng(2).normal(size=y.shape).astype("float32")
    of_all = reference.global_stats_gradient(X, upstream, statistics=NAMES)
    gradient = tape.gradient(y, x, upstream)
    np.testing.assert_allclose(gradient, of_all[:, 7:], rtol=1e-4, atol=1e-6)
    assert not model.trainable_weights


def test_what_a_stateful_layer_refuses():
    with pytest.raises(ValueError, match=r"know the size of its batch.*batch_shape"):
        model_of(batch=None)
    with pytest.raises(ValueError, match="no input_normalization"):
        statpool.GlobalStatsPooling1D(
            stateful=True, input_normalization=keras.layers.BatchNormalization()
        )
    _, layer = model_of()
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="batch"):
        layer(X[:2])


def test_its_configuration():
    _, layer = model_of()
    assert type(layer).from_config(layer.get_config()).stateful
    assert not statpool.GlobalStatsPooling1D().get_config()["stateful"]
