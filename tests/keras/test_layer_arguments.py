"""What users hand to layers and functions by mistake, and what is no mistake."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
import statpool.numpy
from statpool import _native, reference
from tests.support.fresh_process import call

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
IMAGES = X[:, :, np.newaxis]
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["native", "composite"])


@IMPLEMENTATIONS
def test_variables_of_keras_are_pooled(implementation):
    """Alone, and as a weight of another layer, which trains it."""
    pool = statpool.GlobalStatsPooling1D(implementation=implementation)
    pool_2d = statpool.GlobalStatsPooling2D(implementation=implementation)
    for y in (pool(keras.Variable(X)), pool_2d(keras.Variable(IMAGES))):
        np.testing.assert_allclose(y, reference.global_stats(X), rtol=1e-5, atol=1e-6)

    class Learned(keras.layers.Layer):
        def build(self, _):
            self.weight = self.add_weight(shape=X.shape, initializer="ones")

        def call(self, inputs):
            return keras.ops.sum(inputs) * pool(self.weight)

    model = keras.Sequential([keras.Input((3,)), Learned()])
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.zeros((2, 9)), verbose=0)
    assert (model.get_weights()[0] != 1).any()


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", ["mask", "lengths"])
def test_ragged_padding_is_named(name, implementation):
    ragged = tf.ragged.constant([[1], [1, 1]], dtype=tf.int32)
    words = f"{name} must be a dense"
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        statpool.global_stats(X, **{name: ragged}, implementation=implementation)
    if name == "mask":
        layer = statpool.GlobalStatsPooling2D(implementation=implementation)
        with pytest.raises(tf.errors.InvalidArgumentError, match=words):
            layer(IMAGES, mask=tf.cast(ragged, tf.bool))


def test_an_implementation_that_is_none_is_refused_when_assigned():
    layer = statpool.GlobalStatsPooling1D()
    with pytest.raises(ValueError, match=r"implementation.*'nativ'"):
        layer.implementation = "nativ"
    layer.implementation = "composite"
    assert layer.get_config()["implementation"] == "composite"


@pytest.mark.parametrize("true", [np.True_, np.bool_(1), 1])
def test_keepdims_of_numpy(true):
    assert statpool.global_stats(X, keepdims=true).shape == (2, 1, 9)
    assert statpool.GlobalStatsPooling1D(keepdims=true).keepdims is True


@pytest.mark.parametrize("num_threads", ["2", 1.5, 0, -1])
def test_threads_that_cannot_be_counted(num_threads):
    with pytest.raises(ValueError, match="num_threads must be an integer"):
        statpool.numpy.global_stats(X, num_threads=num_threads)


def test_a_star_import_leaves_the_names_of_notebooks_alone():
    kept = {"layers": 1, "ops": 2, "numpy": 3}
    names = dict(kept)
    exec("from statpool import *", names)
    assert kept.items() <= names.items()
    assert {"GlobalStatsPooling1D", "global_stats"} <= names.keys()


def errors_without_library():
    """AutoGraph translates functions whose source it finds in a file, such as pool."""
    _native.FOLDER = pathlib.Path("nowhere")

    def pool(x):
        return statpool.global_stats(x, implementation="native")

    said = []
    for compiled in (False, True):
        try:
            tf.function(pool, jit_compile=compiled)(tf.ones([1, 2, 3]))
        except statpool.NativeLibraryError as error:
            said.append(str(error))
    return said


def test_a_missing_library_has_its_own_error_inside_a_function():
    plain, compiled = call(errors_without_library)
    for said in (plain, compiled):
        assert f"got none under TensorFlow {tf.__version__}, which needs" in said


@IMPLEMENTATIONS
def test_fit_of_a_time_distributed_layer(implementation):
    """Keras maps it by tf.vectorized_map where it doesn't know the frames.

    It takes as many of them as there are examples, so there are.
    """
    layer = statpool.GlobalStatsPooling1D(implementation=implementation)
    dense = keras.layers.Dense(4, kernel_initializer="ones")
    model = keras.Sequential(
        [keras.Input((None, 5, 3)), dense, keras.layers.TimeDistributed(layer)]
    )
    model.compile("sgd", "mse", jit_compile=False)
    shapes = [None, None, 5, 3], [None, None, 12]
    batches = tf.data.Dataset.from_generator(
        lambda: [(np.stack([X, X]), np.zeros((2, 2, 12), np.float32))],
        output_signature=tuple(tf.TensorSpec(shape) for shape in shapes),
    )
    model.fit(batches, verbose=0)
    assert (dense.get_weights()[0] != 1).all()
