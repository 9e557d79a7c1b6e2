"""Exported models run where nobody knows statpool."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx
from ai_edge_litert.interpreter import Interpreter
from tensorflow.python.framework import convert_to_constants

import statpool
from statpool import composite, reference
from statpool._options import STATISTICS
from tests.support.fresh_process import run

# ------------------------------------------ whole models, in a process without statpool


class Processes:
    """How other processes compute y from a model in a folder and the arrays in data."""

    TENSORFLOW = (
        "import tensorflow as tf\n"
        "model = tf.saved_model.load(folder + '/model')\n"
        "y = model.serve([tf.constant(array) for array in data])\n"
    )
    FROZEN = (
        "import tensorflow as tf\n"
        "with tf.Graph().as_default(), tf.compat.v1.Session() as session:\n"
        "    with open(folder + '/model.pb', 'rb') as file:\n"
        "        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(file.read()))\n"
        "    feeds = {f'import/x{i}:0': d for i, d in enumerate(data)}\n"
        "    y = session.run('import/Identity:0', feeds)\n"
    )
    ONNX_RUNTIME = (
        "import onnxruntime\n"
        "session = onnxruntime.InferenceSession(folder + '/model.onnx')\n"
        "names = [wanted.name for wanted in session.get_inputs()]\n"
        "(y,) = session.run(None, dict(zip(names, data, strict=True)))\n"
    )
    LITERT = (
        "from ai_edge_litert.interpreter import Interpreter\n"
        "interpreter = Interpreter(folder + '/model.tflite')\n"
        "run = interpreter.get_signature_runner()\n"
        "names = sorted(run.get_input_details())\n"
        "(y,) = run(**dict(zip(names, data, strict=True))).values()\n"
    )


def run_elsewhere(code, folder):
    """What the model in the folder makes of `inputs()` where statpool isn't known."""
    np.savez(folder / "inputs.npz", *inputs())
    done = run(
        "import sys, numpy as np\n"
        "folder = sys.argv[1]\n"
        "held = np.load(folder + '/inputs.npz')\n"
        "data = [held[name] for name in held.files]\n"
        f"{code}"
        "np.save(folder + '/y.npy', y)\n"
        "assert 'statpool' not in sys.modules\n",
        folder,
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "y.npy")


def inputs():
    x = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)
    x[1, 4:] = 0
    return x, np.array([[9], [7], [0]], np.int32)


def model_with(implementation="native", statistics=STATISTICS):
    """A model with an implicit mask and lengths, called once."""
    x = keras.Input((9, 4), name="x0")
    lengths = keras.Input((1,), dtype="int32", name="x1")
    layer = statpool.GlobalStatsPooling1D(statistics, implementation=implementation)
    pooled = layer(keras.layers.Masking()(x), lengths=lengths)
    keras.utils.set_random_seed(0)
    model = keras.Model([x, lengths], keras.layers.Dense(64)(pooled))
    model(list(inputs()))
    return model, layer


def save(model, folder):
    module = tf.Module()
    module.model = model
    specs = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in inputs()]
    module.serve = tf.function(model, input_signature=[specs])
    with statpool.force_implementation("composite"):
        tf.saved_model.save(module, str(folder / "model"))


def freeze(model, folder):
    specs = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in inputs()]
    with statpool.force_implementation("composite"):
        concrete = tf.function(lambda x0, x1: model([x0, x1])).get_concrete_function(
            *specs
        )
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)
    (folder / "model.pb").write_bytes(frozen.graph.as_graph_def().SerializeToString())


def convert(model, folder, types=None):
    """LiteRT's converter; with weights of 8 bits, or of the types."""
    with statpool.force_implementation("composite"):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if types is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = types
        (folder / "model.tflite").write_bytes(converter.convert())


def export_onnx(model, folder, opset):
    path = folder / "model.onnx"
    statpool.export(model, path, format="onnx", opset_version=opset, verbose=False)
    if opset:
        assert onnx.load(path).opset_import[0].version == opset


def convert_to_onnx(model, folder):
    specs = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in inputs()]
    function = tf.function(lambda x0, x1: model([x0, x1]))
    with statpool.force_implementation("composite"):
        tf2onnx.convert.from_function(
            function, specs, opset=LATEST_OPSET, output_path=folder / "model.onnx"
        )


# The latest that tf2onnx writes.
LATEST_OPSET = max(tf2onnx.constants.OPSET_TO_IR_VERSION)

WAYS = {
    "export": (
        lambda m, f: statpool.export(m, f / "model", verbose=False),
        Processes.TENSORFLOW,
    ),
    "tf.saved_model.save": (save, Processes.TENSORFLOW),
    "frozen graph": (freeze, Processes.FROZEN),
    "export to litert": (
        lambda m, f: statpool.export(
            m, f / "model.tflite", format="litert", verbose=False
        ),
        Processes.LITERT,
    ),
    "converter": (convert, Processes.LITERT),
    "float16": (lambda m, f: convert(m, f, [tf.float16]), Processes.LITERT),
    "dynamic range": (lambda m, f: convert(m, f, []), Processes.LITERT),
    "export to onnx": (
        lambda m, f: export_onnx(m, f, None),
        Processes.ONNX_RUNTIME,
    ),
    "onnx opset 17": (lambda m, f: export_onnx(m, f, 17), Processes.ONNX_RUNTIME),
    "tf2onnx, latest opset": (convert_to_onnx, Processes.ONNX_RUNTIME),
}
# The share of the largest result that quantised weights may cost.
QUANTISED = {"float16": 1e-3, "dynamic range": 2e-2}


@pytest.mark.parametrize("way", WAYS)
def test_models_run_elsewhere(way, tmp_path):
    model, layer = model_with()
    write, process = WAYS[way]
    write(model, tmp_path)
    assert layer.implementation == "native"
    y, expected = run_elsewhere(process, tmp_path), model(list(inputs())).numpy()
    error = np.abs(y - expected).max() / np.abs(expected).max()
    assert error < QUANTISED.get(way, 1e-6)
    if way in QUANTISED:
        assert error > 1e-6, "nothing was quantised"


@pytest.mark.parametrize("implementation", ["auto", "composite"])
def test_whatever_the_layers_implementation(implementation, tmp_path):
    model, layer = model_with(implementation)
    statpool.export(model, tmp_path / "model", verbose=False)
    assert layer.implementation == implementation
    run_elsewhere(Processes.TENSORFLOW, tmp_path)


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
    model, _ = model_with()
    statpool.export(model, tmp_path / "model", verbose=False)
    with pytest.raises(ValueError, match="format"):
        statpool.export(model, tmp_path / "model", format="parchment")
    traced = tf.function(lambda x, n: model([x, n])).get_concrete_function(*inputs())
    assert "Statpool>GlobalStats" in str(traced.graph.as_graph_def())


# --------------------------------------------------------------------- with the op


def test_a_native_export_says_what_loads_it(tmp_path, capsys):
    model, _ = model_with("composite")
    statpool.export(model, tmp_path / "model", implementation="native")
    said = capsys.readouterr().out.splitlines()[-1]
    assert "libstatpool.so is loaded before it" in said
    assert f"TensorFlow {tf.__version__}" in said
    load = f"import tensorflow as tf; tf.load_op_library({statpool.library_path()!r})\n"
    y = run_elsewhere(load + Processes.TENSORFLOW, tmp_path)
    np.testing.assert_allclose(y, model(list(inputs())), rtol=1e-5, atol=1e-5)
    without = run(f"folder, data = {str(tmp_path)!r}, []\n{Processes.TENSORFLOW}")
    assert "Statpool>GlobalStats" in without.stderr


def test_only_a_saved_model_can_hold_the_op(tmp_path):
    model, _ = model_with()
    with pytest.raises(ValueError, match=r"tf_saved_model.*'onnx'.*composite"):
        statpool.export(model, tmp_path / "model.onnx", "onnx", implementation="native")


def test_a_choice_that_is_none():
    with (
        pytest.raises(ValueError, match="implementation"),
        statpool.force_implementation("fast"),
    ):
        pass


# ------------------------------------------- every argument of the composite, alone

PADDING = {
    "none": {},
    "mask": {"mask": np.array([[1, 1, 0, 1, 1, 0, 1], [0] * 7], bool)},
    "lengths": {"lengths": np.array([3, 0], np.int32)},
    "both": {
        "mask": np.array([[1, 1, 0, 1, 1, 0, 1], [1] * 7], bool),
        "lengths": np.array([3, 0], np.int32),
    },
}


def in_litert(function, arrays):
    """What LiteRT's interpreter makes of a function, from its builtins alone."""
    specs = {name: tf.TensorSpec(a.shape, a.dtype) for name, a in arrays.items()}
    module = tf.Module()
    module.function = tf.function(function)
    concrete = module.function.get_concrete_function(**specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    signature = Interpreter(model_content=converter.convert()).get_signature_runner()
    (y,) = signature(**arrays).values()
    return y


def in_onnx_runtime(function, arrays):
    specs = [tf.TensorSpec(a.shape, a.dtype, name) for name, a in arrays.items()]
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda *a: function(**dict(zip(arrays, a, strict=True)))),
        specs,
        opset=LATEST_OPSET,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [wanted.name for wanted in session.get_inputs()]
    (y,) = session.run(None, dict(zip(names, arrays.values(), strict=True)))
    return y


RUNTIMES = {"litert": in_litert, "onnx": in_onnx_runtime}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("size", [1.0, 1e30])
def test_series(runtime, data_format, padding, size):
    x = (np.random.default_rng(0).normal(size=(2, 7, 3)) * size).astype(np.float32)
    x = x if data_format == "channels_last" else np.ascontiguousarray(x.swapaxes(1, 2))
    options = {"statistics": STATISTICS, "data_format": data_format}
    arrays = {"x": x, **PADDING[padding]}
    y = RUNTIMES[runtime](
        lambda **arguments: composite.global_stats(**arguments, **options), arrays
    )
    expected = reference.global_stats(**arrays, **options)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6 * size)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("masked", [False, True])
def test_images(runtime, data_format, masked):
    shape = (2, 4, 5, 3) if data_format == "channels_last" else (2, 3, 4, 5)
    arrays = {"inputs": np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    if masked:
        arrays["mask"] = np.random.default_rng(1).random((2, 4, 5)) < 0.5
    layer = statpool.GlobalStatsPooling2D(
        STATISTICS, data_format=data_format, implementation="composite"
    )
    y = RUNTIMES[runtime](layer.call, arrays)
    np.testing.assert_allclose(y, layer(**arrays), rtol=1e-5, atol=1e-5)
