"""Exported models run where nobody knows statpool."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from fresh_process import run

import statpool
from statpool import composite, reference
from statpool._options import STATISTICS


def model_with(implementation, **options):
    inputs, lengths = keras.Input((9, 4)), keras.Input((1,), dtype="int32")
    hidden = keras.layers.Masking()(inputs)
    layer = statpool.GlobalStatsPooling1D(implementation=implementation, **options)
    outputs = keras.layers.Dense(2)(layer(hidden, lengths=lengths))
    return keras.Model([inputs, lengths], outputs), layer


def inputs():
    x = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)
    x[1, 4:] = 0
    return x, np.array([[9], [7], [0]], np.int32)


@pytest.mark.parametrize("implementation", ["auto", "native", "composite"])
def test_a_saved_model_needs_no_statpool(implementation, tmp_path):
    model, layer = model_with(implementation)
    statpool.export(model, tmp_path / "model", verbose=False)
    assert layer.implementation == implementation
    np.savez(tmp_path / "inputs.npz", *inputs())
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "folder = sys.argv[1]\n"
        "data = np.load(folder + '/inputs.npz')\n"
        "model = tf.saved_model.load(folder + '/model')\n"
        "y = model.serve([tf.constant(data[name]) for name in data.files])\n"
        "np.save(folder + '/y.npy', y)\n"
        "assert 'statpool' not in sys.modules\n"
    )
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    expected = model(list(inputs()))
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), expected, rtol=1e-5, atol=1e-6
    )


def test_an_exported_model_can_be_trained_on(tmp_path):
    x = tf.constant(inputs()[0])
    model = keras.Sequential([keras.layers.Dense(5), statpool.GlobalStatsPooling1D()])
    model.build((None, 9, 4))
    statpool.export(model, tmp_path / "model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "model")

    def slopes(function, variables):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(function(x) ** 2)
        return tape.gradient(loss, variables)

    expected = slopes(model, model.trainable_variables)
    found = slopes(loaded.serve, loaded.trainable_variables)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_choice_ends_with_the_export(tmp_path):
    model, _ = model_with("native")
    statpool.export(model, tmp_path / "model", verbose=False)
    with pytest.raises(ValueError, match="format"):
        statpool.export(model, tmp_path / "model", format="parchment")
    traced = tf.function(lambda x, n: model([x, n])).get_concrete_function(*inputs())
    assert "Statpool>GlobalStats" in str(traced.graph.as_graph_def())


# LiteRT has no other operations than these, without flex delegates of TensorFlow's.
PADDING = {
    "none": None,
    "mask": np.array([[1, 1, 0, 1, 1, 0, 1], [0] * 7], bool),
    "lengths": np.array([3, 0], np.int32),
}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("size", [1.0, 1e30])
def test_litert_runs_it_with_builtins(data_format, padding, size):
    x = (np.random.default_rng(0).normal(size=(2, 7, 3)) * size).astype(np.float32)
    x = x if data_format == "channels_last" else np.moveaxis(x, 2, 1)
    options = {"statistics": STATISTICS, "data_format": data_format}
    named = {} if PADDING[padding] is None else {padding: PADDING[padding]}
    function = tf.function(
        lambda x, **padding: composite.global_stats(x, **padding, **options)
    )
    specs = {name: tf.TensorSpec(a.shape, a.dtype) for name, a in named.items()}
    concrete = function.get_concrete_function(tf.TensorSpec(x.shape, x.dtype), **specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    for wanted in interpreter.get_input_details():
        is_x = wanted["dtype"] == np.float32
        interpreter.set_tensor(wanted["index"], x if is_x else PADDING[padding])
    interpreter.invoke()
    y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = reference.global_stats(x, **named, **options)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6 * size)
