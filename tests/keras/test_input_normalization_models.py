"""Models with a BatchNormalization inside the pooling: trained, copied, refused."""

import json

import keras
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

import statpool
from statpool import _keras

B, T, C = 5, 12, 6
Normalization = keras.layers.BatchNormalization
Pooling = statpool.GlobalStatsPooling1D


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, C))


@pytest.fixture
def models(request):
    """Makes a stock model, or the same with what stands before the pooling inside."""
    dtype = getattr(request, "param", "float64")
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)

    def model(is_stock=False):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((T, C))
        hidden = keras.layers.Dense(4, name="dense")(inputs)
        norm = Normalization(gamma_regularizer="l2", name="norm")
        if is_stock:
            pooled = Pooling(name="pool")(norm(keras.layers.ReLU(name="relu")(hidden)))
        else:
            how = {"input_activation": "relu", "input_normalization": norm}
            pooled = Pooling(name="pool", **how)(hidden)
        model = keras.Model(inputs, keras.layers.Dense(2, name="out")(pooled))
        model.compile("sgd", "mse")
        return model

    yield model
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def test_fit_and_a_stock_checkpoint(x, models):
    """Both models are trained to the same weights, which one lends to another."""
    theirs, ours, new = models(is_stock=True), models(), models()
    for model in (theirs, ours):
        model.fit(x, np.ones((B, 2)), epochs=3, batch_size=3, shuffle=False, verbose=0)
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
    layers = {layer.name: layer for layer in new.layers}
    layers["norm"] = layers["pool"].input_normalization
    for layer in (layer for layer in theirs.layers if layer.weights):
        layers[layer.name].set_weights(layer.get_weights())
    y = theirs.predict(x, verbose=0)
    np.testing.assert_allclose(new.predict(x, verbose=0), y, rtol=1e-12)


def test_copies(x, models, tmp_path):
    model = models()
    model.fit(x, np.ones((B, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.load_weights(tmp_path / "model.weights.h5")
    expected = model.predict(x, verbose=0)
    pools = [a_model.get_layer("pool") for a_model in (model, loaded, clone)]
    assert len({json.dumps(pool.get_config()) for pool in pools}) == 1
    assert len({pool.input_normalization for pool in pools}) == 3
    for copy in (loaded, clone):
        np.testing.assert_array_equal(copy.predict(x, verbose=0), expected)


@pytest.mark.parametrize("models", ["float32"], indirect=True)
def test_runs_where_nobody_knows_statpool(x, models, tmp_path):
    model, x = models(), x.astype(np.float32)
    model.fit(x, np.ones((B, 2)), epochs=3, verbose=0)
    names = [str(tmp_path / name) for name in ("model.tflite", "model.onnx")]
    for name, form in zip(names, ("litert", "onnx"), strict=True):
        statpool.export(model, name, format=form, verbose=False)
    run = Interpreter(names[0]).get_signature_runner()
    session = onnxruntime.InferenceSession(names[1])
    of_litert = run(**dict.fromkeys(run.get_input_details(), x)).values()
    of_onnx = session.run(None, {session.get_inputs()[0].name: x})
    for y in (*of_litert, *of_onnx):
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def built_for(channels):
    layer = Normalization()
    layer.build((B, T, channels))
    return layer


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("batch", "BatchNormalization itself.*'batch'"),
        (keras.layers.LayerNormalization(), "itself.*LayerNormalization"),
        (type("Mine", (Normalization,), {})(), "not of a subclass.*Mine"),
        (Normalization(axis=1), "axis 2 .* rank 3, got axis=1; .*axis=2"),
        (Normalization(renorm=True), "without renorm"),
        (Normalization(activity_regularizer="l2"), "activity_regularizer.*L2"),
        (built_for(4), "6 channels .* built for 4"),
        (Normalization(), r"known number .*\(None, 12, None\)"),
    ],
)
def test_what_cannot_be_folded_is_refused(layer, words):
    channels = None if "known" in words else C
    with pytest.raises(ValueError, match=words):
        Pooling(input_normalization=layer)(keras.Input((T, channels)))


def test_legacy_keras_has_none(monkeypatch):
    monkeypatch.setattr(_keras, "NAME", "tf_keras")
    with pytest.raises(ValueError, match="None in layers of tf_keras"):
        Pooling(input_normalization=Normalization())
