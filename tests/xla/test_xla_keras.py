"""Keras models that XLA compiles, with the layer inside."""

import keras
import numpy as np
import pytest

import statpool
from statpool import composite


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 10, 6)).astype(np.float32)


def small_model(time, jit_compile):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((time, 6)),
            keras.layers.Masking(),
            keras.layers.Dense(9, activation="relu"),
            statpool.GlobalStatsPooling1D(("mean", "max", "l2", "std")),
            keras.layers.Dense(2),
        ]
    )
    model.compile("sgd", "mse", jit_compile=jit_compile)
    return model


def test_losses_do_not_depend_on_compilation(x):
    x[1, 5:] = 0  # masked
    losses, outputs, scores = [], [], []
    for jit_compile in (False, "auto", True):
        model = small_model(None, jit_compile)
        history = model.fit(x, np.ones((4, 2)), 3, epochs=4, verbose=0)
        losses.append(history.history["loss"])
        outputs.append(model.predict(x, 3, verbose=0))
        scores.append(model.evaluate(x, np.ones((4, 2)), 3, verbose=0))
    for results in (losses, outputs, scores):
        assert np.isfinite(results).all()
        # The dense layers round differently inside XLA.
        np.testing.assert_allclose(results[1], results[0], rtol=1e-5)
        np.testing.assert_allclose(results[2], results[0], rtol=1e-5)


def test_compiled_training_calls_the_kernels(x, monkeypatch):
    """The composite would train as well: nobody may fall back on it."""
    monkeypatch.setattr(composite, "global_stats", None)
    model = small_model(10, True)
    assert model.jit_compile
    model.fit(x, np.ones((4, 2)), verbose=0)
