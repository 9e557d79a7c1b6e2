"""The layers on Keras' JAX backend: what they give on TensorFlow's, without it."""

import sys

import numpy as np
import pytest

from tests.support.fresh_process import call_with, needs

NAMES = ("mean", "max", "std")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(4, 10, 6)).astype("float32")
X[1, 3] = X[2, 5:] = 0  # what Masking hides
LENGTHS = np.array([10, 4, 7, 0], "int32")
IMAGES = RANDOM.normal(size=(4, 5, 3, 6)).astype("float32")
ROWS = RANDOM.random((4, 5)) < 0.6


def outputs(path=None):
    """The layers' outputs by name, on any backend; a model that trains, from a path."""
    import keras

    import statpool

    # First: it is the import of statpool that lets Keras know the layers of a file.
    loaded = path and keras.saving.load_model(path)

    def of_sequences(**arguments):
        return statpool.GlobalStatsPooling1D(NAMES, **arguments)

    def of_images(**arguments):
        return statpool.GlobalStatsPooling2D(NAMES, **arguments)

    integers = (10 * X).astype("int32")
    first = X.swapaxes(1, 2), IMAGES.transpose(0, 3, 1, 2)
    y = {
        "native": of_sequences(implementation="native")(X),
        "composite": of_sequences(implementation="composite")(X),
        "first": of_sequences(data_format="channels_first", keepdims=True)(first[0]),
        "activated": of_sequences(input_activation="relu", correction=1)(X),
        "padded": of_sequences()(X, mask=X[:, :, 0] != 0, lengths=LENGTHS),
        "implicit too": of_sequences()(X, lengths=LENGTHS, inputs_mask=X[:, :, 0] != 0),
        "numbers": of_sequences()(X, mask=(X[:, :, 0] != 0).astype("float32")),
        "column": of_sequences()(X, lengths=LENGTHS[:, None]),
        "integers": of_sequences()(integers),
        "mixed": of_sequences(dtype="mixed_bfloat16", output_dtype="float32")(X),
        "mixed integers": of_sequences(dtype="mixed_bfloat16")(integers),
        "images": of_images()(IMAGES, mask=ROWS),
        "pixels": of_images(keepdims=True)(IMAGES, mask=IMAGES[..., 0] > 0),
        "images first": of_images(data_format="channels_first")(first[1]),
    }
    inputs = keras.Input((None, 6)), keras.Input((), dtype="int32")
    hidden = keras.layers.Masking()(inputs[0])
    pooled = of_sequences()(hidden, lengths=inputs[1])
    model = loaded or keras.Model(inputs, keras.layers.Dense(2)(pooled))
    y["model"] = model.predict([X, LENGTHS], verbose=0)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    fitted = model.fit([X, LENGTHS], np.ones((4, 2)), epochs=4, verbose=0)
    y["losses"] = np.array(fitted.history["loss"])
    y["trained"] = model.predict([X, LENGTHS], verbose=0)
    mixed = {"dtype": "mixed_float16"}
    last = keras.layers.Dense(2, kernel_initializer="zeros", **mixed)
    model16 = keras.Sequential([keras.layers.Masking(), of_sequences(**mixed), last])
    model16.compile(keras.optimizers.SGD(0.05), "mse")
    fitted = model16.fit(X, np.ones((4, 2)), epochs=4, verbose=0)
    y["losses in 16 bits"] = np.array(fitted.history["loss"])
    return {k: np.asarray(v, "float32") for k, v in y.items()}, model


def on_jax(path, saved):
    """The same here, as where TensorFlow isn't installed, and what is refused."""
    sys.modules["tensorflow"] = None
    import jax
    import keras

    import statpool

    assert keras.backend.backend() == "jax"
    y, model = outputs(path)
    model.save(saved)
    refused = []
    normalization = keras.layers.BatchNormalization()
    for arguments in ({"stateful": True}, {"input_normalization": normalization}):
        with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow") as error:
            statpool.GlobalStatsPooling1D(**arguments)
        refused.append(str(error.value).split()[0])
    with pytest.raises(ValueError, match="mask must have shape"):
        jax.jit(statpool.GlobalStatsPooling1D())(X, mask=np.ones((4, 11), bool))
    with pytest.raises(ValueError, match="lengths"):
        statpool.GlobalStatsPooling1D()(X, lengths=np.ones(3, "int32"))
    return y, refused


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What TensorFlow gives and what JAX does, by a model from TensorFlow, and back."""
    needs("jax")
    import keras

    folder = tmp_path_factory.mktemp("models")
    first, second = str(folder / "first.keras"), str(folder / "second.keras")
    keras.utils.set_random_seed(0)
    _, model = outputs()
    model.save(first)
    expected, _ = outputs(first)
    y, *rest = call_with("KERAS_BACKEND", "jax", on_jax, first, second)
    back = keras.saving.load_model(second).predict([X, LENGTHS], verbose=0)
    return expected, y, back, *rest


def test_outputs_and_training_are_those_of_tensorflow(both):
    expected, y, *_ = both
    assert y.keys() == expected.keys()
    for name, values in expected.items():
        near = {"losses": 1e-5, "trained": 1e-5, "losses in 16 bits": 5e-3}
        near = near.get(name, 1e-6)
        np.testing.assert_allclose(y[name], values, near, near, err_msg=name)
    for name in ("losses", "losses in 16 bits"):
        assert (np.diff(y[name]) < 0).all()


def test_a_model_goes_there_and_back(both):
    _, y, back, *_ = both
    np.testing.assert_allclose(back, y["trained"], rtol=1e-5, atol=1e-5)


def test_what_jax_does_without(both):
    *_, refused = both
    assert refused == ["stateful", "input_normalization"]
