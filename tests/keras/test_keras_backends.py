"""Other Kerases, each in a process: another backend of Keras 3, and tf_keras."""

import functools
import importlib
import sys

import pytest

from tests.support.fresh_process import call_with, needs


def error_of(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return str(error)
    return "no error"


# ------------------------------------------------------------- backends of Keras 3


def use(order, path):
    """Whether importing statpool loads TensorFlow, and the errors of its layers."""
    modules = {name: importlib.import_module(name) for name in order}
    keras, statpool = modules["keras"], modules["statpool"]
    importlib.import_module("statpool.layers")
    keras.ops.mean(keras.ops.ones((2, 3)))
    loaded = "tensorflow" in sys.modules
    layers = statpool.GlobalStatsPooling1D, statpool.GlobalStatsPooling2D
    return loaded, [*map(error_of, layers), error_of(keras.saving.load_model, path)]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    import keras

    import statpool

    path = tmp_path_factory.mktemp("keras") / "model.keras"
    layers = [keras.Input((5, 3)), statpool.GlobalStatsPooling1D()]
    keras.Sequential(layers).save(path)
    return str(path)


@functools.cache
def used(backend, order, path):
    needs(backend)
    return call_with("KERAS_BACKEND", backend, use, order, path)


OTHERS = pytest.mark.parametrize("backend", ["numpy", "torch"])
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
ORDERS = ("statpool", "keras"), ("keras", "statpool")


@OTHERS
def test_the_constructor_says_what_it_needs(backend, model_file):
    """And so does a file with the layer, when it is loaded."""
    _, errors = used(backend, ORDERS[0], model_file)
    for said in errors:
        assert "TensorFlow or JAX backend" in said
        assert repr(backend) in said
        assert "KERAS_BACKEND=tensorflow or jax" in said


@BACKENDS
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_tensorflow_is_not_loaded_where_nothing_of_it_is_used(
    backend, order, model_file
):
    loaded, _ = used(backend, order, model_file)
    assert not loaded


# ------------------------------------------------------------------------ tf_keras


def use_legacy_models(path):
    """Each kind of model, with the op and the composite, against the reference."""
    import numpy as np
    import tensorflow as tf

    import statpool

    keras = tf.keras
    assert keras.__name__.startswith("tf_keras")
    x = np.random.default_rng(0).normal(size=(4, 10, 6)).astype("float32")
    x[1, 3] = x[2, 5:] = 0
    kept, lengths = (x != 0).any(-1), np.array([[10], [4], [10], [0]], "int32")

    def check(model, data, x=x, padding=(), **options):
        expected = statpool.reference.global_stats(x, *padding, **options)
        y = model.predict(data, verbose=0).reshape(expected.shape)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

    for implementation in ("native", "composite"):
        how = {"implementation": implementation}
        # A mask, and the model's file.
        first = keras.layers.Masking(input_shape=(None, 6))
        model = keras.Sequential([first, statpool.GlobalStatsPooling1D(**how)])
        check(model, x, padding=[kept])
        model.save(path)
        check(keras.models.load_model(path), x, padding=[kept])
        # Training in mixed precision, with lengths.
        inputs = keras.Input((None, 6)), keras.Input((1,), dtype="int32")
        how["dtype"], data = "mixed_bfloat16", [x, lengths]
        layer = statpool.GlobalStatsPooling1D(output_dtype="float32", **how)
        pooled = layer(keras.layers.Masking()(inputs[0]), lengths=inputs[1])
        model = keras.Model(inputs, keras.layers.Dense(1)(pooled))
        model.compile("sgd", "mse")
        losses = model.fit(data, np.ones((4, 1)), epochs=5, verbose=0).history["loss"]
        assert np.isfinite(losses).all()
        assert losses[-1] < losses[0]
        rounded = np.array(tf.cast(tf.cast(x, tf.bfloat16), tf.float32))
        check(keras.Model(inputs, pooled), data, rounded, [kept, lengths[:, 0]])
        # Images, by a layer from its config.
        layer = statpool.GlobalStatsPooling2D(("max",), keepdims=True)
        copy = type(layer).from_config({**layer.get_config(), **how, "dtype": None})
        model = keras.Sequential([keras.Input((5, 2, 6)), copy])
        check(model, x.reshape(4, 5, 2, 6), statistics=("max",))
        # The function of symbolic tensors.
        mask = tf.reduce_any(inputs[0] != 0, -1)
        y = statpool.global_stats(inputs[0], mask, implementation=implementation)
        check(keras.Model(inputs[0], y), x, padding=[kept])


def test_legacy_models(tmp_path):
    needs("tf_keras")
    path = str(tmp_path / "model.keras")
    call_with("TF_USE_LEGACY_KERAS", "1", use_legacy_models, path)


def use_a_model_of(name):
    """A layer with a model of the other Keras."""
    import statpool

    inputs = importlib.import_module(name).Input((None, 6))
    return error_of(statpool.GlobalStatsPooling1D(), inputs)


@pytest.mark.parametrize(("legacy", "model"), [("0", "tf_keras"), ("1", "keras")])
def test_the_wrong_keras_is_named(legacy, model):
    needs("tf_keras")
    said = call_with("TF_USE_LEGACY_KERAS", legacy, use_a_model_of, model)
    assert "TF_USE_LEGACY_KERAS" in said
