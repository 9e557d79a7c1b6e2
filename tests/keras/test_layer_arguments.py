"""What users hand to layers and functions by mistake, and what is no mistake."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
import statpool.numpy
from statpool import reference
from tests.support.fresh_process import run

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
LAYERS = {
    "1D": (statpool.GlobalStatsPooling1D, X),
    "2D": (statpool.GlobalStatsPooling2D, X[:, :, np.newaxis]),
}


@pytest.mark.parametrize("implementation", ["native", "composite"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_variable_of_keras_is_pooled(kind, implementation):
    make, x = LAYERS[kind]
    layer = make(implementation=implementation)
    y = layer(keras.Variable(x))
    np.testing.assert_allclose(y, reference.global_stats(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("implementation", ["native", "composite"])
def test_a_layer_pools_its_own_weights(implementation):
    class Learned(keras.layers.Layer):
        def build(self, _):
            self.weight = self.add_weight(shape=X.shape, initializer="ones")
            self.pool = statpool.GlobalStatsPooling1D(implementation=implementation)

        def call(self, inputs):
            return keras.ops.sum(inputs) * self.pool(self.weight)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Learned()(inputs))
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.zeros((2, 9)), verbose=0)
    assert (model.get_weights()[0] != 1).any()


@pytest.mark.parametrize("implementation", ["native", "composite"])
@pytest.mark.parametrize("name", ["mask", "lengths"])
def test_ragged_padding_is_named(name, implementation):
    ragged = tf.ragged.constant([[1], [1, 1]], dtype=tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} must be a dense"):
        statpool.global_stats(X, **{name: ragged}, implementation=implementation)


def test_a_ragged_mask_of_images_is_named():
    ragged = tf.ragged.constant([[True], [True, True]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="mask must be a dense"):
        statpool.GlobalStatsPooling2D()(LAYERS["2D"][1], mask=ragged)


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


@pytest.mark.parametrize("epsilon", [True, False, np.True_])
def test_a_bool_where_epsilon_stands(epsilon):
    with pytest.raises(ValueError, match=r"epsilon must be a number, got .*keepdims"):
        statpool.GlobalStatsPooling1D(("l2",), epsilon)


@pytest.mark.parametrize("num_threads", ["2", 1.5, 0, -1])
def test_threads_that_cannot_be_counted(num_threads):
    with pytest.raises(ValueError, match="num_threads must be an integer"):
        statpool.numpy.global_stats(X, num_threads=num_threads)


def test_a_star_import_leaves_the_names_of_notebooks_alone():
    done = run(
        "import numpy; from keras import layers, ops\n"
        "kept = layers, ops, numpy\n"
        "from statpool import *\n"
        "assert (layers, ops, numpy) == kept\n"
        "assert GlobalStatsPooling1D and global_stats\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_missing_library_has_its_own_error_inside_a_function(jit_compile, tmp_path):
    """AutoGraph translates functions whose source it finds in a file."""
    (tmp_path / "use.py").write_text(
        "import pathlib, tensorflow as tf, statpool\n"
        "from statpool import _native\n"
        "_native.OP_LIBRARY = pathlib.Path('nowhere.so')\n"
        f"@tf.function(jit_compile={jit_compile})\n"
        "def pool(x):\n"
        "    return statpool.global_stats(x, implementation='native')\n"
        "try:\n"
        "    pool(tf.ones([1, 2, 3]))\n"
        "except statpool.NativeLibraryError as error:\n"
        "    assert 'nowhere.so' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )
    done = run("import runpy, sys; runpy.run_path(sys.argv[1])", tmp_path / "use.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("implementation", ["native", "composite"])
def test_fit_of_a_time_distributed_layer(implementation):
    """Keras maps it by tf.vectorized_map where it doesn't know the frames.

    It takes as many of them as there are examples, so there are.
    """
    layer = statpool.GlobalStatsPooling1D(implementation=implementation)
    inputs = keras.Input((None, 5, 3))
    dense = keras.layers.Dense(4, kernel_initializer="ones")
    hidden = keras.layers.TimeDistributed(layer)(dense(inputs))
    model = keras.Model(inputs, hidden)
    model.compile("sgd", "mse", jit_compile=False)
    batches = tf.data.Dataset.from_generator(
        lambda: [(np.stack([X, X]), np.zeros((2, 2, 12), np.float32))],
        output_signature=(
            tf.TensorSpec([None, None, 5, 3]),
            tf.TensorSpec([None, None, 12]),
        ),
    )
    model.fit(batches, verbose=0)
    assert (dense.get_weights()[0] != 1).all()
