"""Other Kerases: another backend of Keras 3, and tf_keras."""

import importlib.util

import pytest

from tests.support.fresh_process import run


def run_python(code, **environment):
    done = run(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def needs(*modules):
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} isn't installed")


# ------------------------------------------------------------- backends of Keras 3

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])


@BACKENDS
@pytest.mark.parametrize("rank", [1, 2])
def test_the_constructor_says_what_it_needs(backend, rank):
    needs(backend)
    printed = run_python(
        "import keras, statpool\n"
        "try:\n"
        f"    statpool.GlobalStatsPooling{rank}D()\n"
        "except ValueError as error:\n"
        "    print(error)\n",
        KERAS_BACKEND=backend,
    )
    assert "TensorFlow backend" in printed
    assert repr(backend) in printed
    assert "KERAS_BACKEND=tensorflow" in printed


@BACKENDS
@pytest.mark.parametrize("order", ["statpool, keras", "keras, statpool"])
def test_tensorflow_is_not_loaded_where_nothing_of_it_is_used(backend, order):
    needs(backend)
    run_python(
        f"import sys, {order}\n"
        "import statpool.layers\n"
        "keras.ops.mean(keras.ops.ones((2, 3)))\n"
        "assert 'tensorflow' not in sys.modules\n",
        KERAS_BACKEND=backend,
    )


def test_a_file_with_the_layer_says_so_too(tmp_path):
    path = str(tmp_path / "model.keras")
    run_python(
        "import keras, statpool\n"
        "layers = [keras.Input((5, 3)), statpool.GlobalStatsPooling1D()]\n"
        f"keras.Sequential(layers).save({path!r})\n"
    )
    printed = run_python(
        "import keras, statpool\n"
        "try:\n"
        f"    keras.saving.load_model({path!r})\n"
        "except Exception as error:\n"
        "    print(error)\n",
        KERAS_BACKEND="numpy",
    )
    assert "TensorFlow backend" in printed


# ------------------------------------------------------------------------ tf_keras


def run_legacy(code):
    needs("tf_keras")
    run_python(
        "import numpy as np, statpool, tensorflow as tf\n"
        "from statpool import reference\n"
        "x = np.random.default_rng(0).normal(size=(4, 10, 6)).astype('float32')\n"
        "x[1, 3] = x[2, 5:] = 0\n"
        "kept = (x != 0).any(-1)\n"
        "def check(y, *padding, **options):\n"
        "    expected = reference.global_stats(x, *padding, **options)\n"
        "    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)\n" + code,
        TF_USE_LEGACY_KERAS="1",
    )


IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["native", "composite"])


@IMPLEMENTATIONS
def test_a_legacy_model_with_a_mask(implementation, tmp_path):
    run_legacy(
        "keras = tf.keras\n"
        "model = keras.Sequential([\n"
        "    keras.layers.Masking(input_shape=(None, 6)),\n"
        f"    statpool.GlobalStatsPooling1D(implementation={implementation!r}),\n"
        "])\n"
        "assert keras.__name__.startswith('tf_keras')\n"
        "check(model.predict(x, verbose=0), kept)\n"
        f"model.save({str(tmp_path / 'm.keras')!r})\n"
        f"again = keras.models.load_model({str(tmp_path / 'm.keras')!r})\n"
        "check(again.predict(x, verbose=0), kept)\n"
    )


@IMPLEMENTATIONS
def test_a_legacy_model_trains_in_mixed_precision_with_lengths(implementation):
    run_legacy(
        "keras = tf.keras\n"
        "inputs, lengths = keras.Input((None, 6)), keras.Input((1,), dtype='int32')\n"
        "layer = statpool.GlobalStatsPooling1D(\n"
        f"    implementation={implementation!r}, dtype='mixed_bfloat16',\n"
        "    output_dtype='float32')\n"
        "pooled = layer(keras.layers.Masking()(inputs), lengths=lengths)\n"
        "model = keras.Model([inputs, lengths], keras.layers.Dense(1)(pooled))\n"
        "model.compile('sgd', 'mse')\n"
        "n = np.array([[10], [4], [10], [0]], 'int32')\n"
        "losses = model.fit([x, n], np.ones((4, 1)), epochs=5, verbose=0)\n"
        "losses = losses.history['loss']\n"
        "assert np.isfinite(losses).all() and losses[-1] < losses[0]\n"
        "y = keras.Model([inputs, lengths], pooled).predict([x, n], verbose=0)\n"
        "x = np.array(tf.cast(tf.cast(x, tf.bfloat16), tf.float32))\n"
        "check(y, kept, n[:, 0])\n"
    )


def test_the_legacy_2d_layer_and_its_config():
    run_legacy(
        "layer = statpool.GlobalStatsPooling2D(('max',), keepdims=True)\n"
        "copy = type(layer).from_config(layer.get_config())\n"
        "model = tf.keras.Sequential([tf.keras.Input((5, 2, 6)), copy])\n"
        "y = model.predict(x.reshape(4, 5, 2, 6), verbose=0)\n"
        "check(y[:, 0, 0], statistics=('max',))\n"
    )


@IMPLEMENTATIONS
def test_the_function_takes_legacy_symbolic_tensors(implementation):
    run_legacy(
        "inputs = tf.keras.Input((None, 6))\n"
        "mask = tf.reduce_any(inputs != 0, -1)\n"
        "y = statpool.global_stats(\n"
        f"    inputs, mask, implementation={implementation!r})\n"
        "check(tf.keras.Model(inputs, y).predict(x, verbose=0), kept)\n"
    )


@pytest.mark.parametrize(
    ("legacy", "model"), [("0", "tf_keras"), ("1", "keras")], ids=["legacy", "keras 3"]
)
def test_the_wrong_keras_is_named(legacy, model):
    needs("tf_keras")
    printed = run_python(
        f"import statpool, {model} as keras\n"
        "try:\n"
        "    statpool.GlobalStatsPooling1D()(keras.Input((None, 6)))\n"
        "except ValueError as error:\n"
        "    print(error)\n",
        TF_USE_LEGACY_KERAS=legacy,
    )
    assert "TF_USE_LEGACY_KERAS" in printed
