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

    def of_sequences(**arguments):
        return statpool.GlobalStatsPooling1D(NAMES, **arguments)

    def of_images(**arguments):
        return statpool.GlobalStatsPooling2D(NAMES, **arguments)

    first = X.swapaxes(1, 2), IMAGES.transpose(0, 3, 1, 2)
    y = {
        "plain": of_sequences()(X),
        "composite": of_sequences(implementation="composite")(X),
        "first": of_sequences(data_format="channels_first", keepdims=True)(first[0]),
        "activated": of_sequences(input_activation="relu", correction=1)(X),
        "padded": of_sequences()(X, mask=X[:, :, 0] != 0, lengths=LENGTHS),
        "column": of_sequences()(X, lengths=LENGTHS[:, None]),
        "integers": of_sequences()((10 * X).astype("int32")),
        "mixed": of_sequences(dtype="mixed_bfloat16", output_dtype="float32")(X),
        "images": of_images()(IMAGES, mask=ROWS),
        "pixels": of_images(keepdims=True)(IMAGES, mask=IMAGES[..., 0] > 0),
        "images first": of_images(data_format="channels_first")(first[1]),
    }
    inputs = keras.Input((None, 6)), keras.Input((), dtype="int32")
    hidden = keras.layers.Masking()(inputs[0])
    pooled = of_sequences()(hidden, lengths=inputs[1])
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled))
    if path is not None:
        model = keras.saving.load_model(path)
    y["model"] = model.predict([X, LENGTHS], verbose=0)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    fitted = model.fit([X, LENGTHS], np.ones((4, 2)), epochs=4, verbose=0)
    y["losses"] = np.array(fitted.history["loss"])
    y["trained"] = model.predict([X, LENGTHS], verbose=0)
    return {k: np.asarray(v, "float32") for k, v in y.items()}, model


def on_jax(path, saved):
    """The same here, what it refuses, and whether TensorFlow was loaded."""
    import keras

    import statpool

    assert keras.backend.backend() == "jax"
    outputs()
    loads_tensorflow = "tensorflow" in sys.modules  # which Keras needs to save models
    y, model = outputs(path)
    model.save(saved)
    refused = []
    normalization = keras.layers.BatchNormalization()
    for arguments in ({"stateful": True}, {"input_normalization": normalization}):
        with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow") as error:
            statpool.GlobalStatsPooling1D(**arguments)
        refused.append(str(error.value).split()[0])
    with pytest.raises(ValueError, match="mask must have shape"):
        statpool.GlobalStatsPooling1D()(X, mask=np.ones((4, 11), bool))
    with pytest.raises(ValueError, match="lengths"):
        statpool.GlobalStatsPooling1D()(X, lengths=np.ones(3, "int32"))
    return y, refused, loads_tensorflow


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
        near = 2e-2 if name == "mixed" else 1e-5
        np.testing.assert_allclose(y[name], values, near, near, err_msg=name)
    assert (np.diff(y["losses"]) < 0).all()


def test_a_model_goes_there_and_back(both):
    _, y, back, *_ = both
    np.testing.assert_allclose(back, y["trained"], rtol=1e-5, atol=1e-5)


def test_what_jax_does_without(both):
    *_, refused, loads_tensorflow = both
    assert refused == ["stateful", "input_normalization"]
    assert not loads_tensorflow
