"""Exported models run where nobody knows statpool."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
import tf2onnx
from tensorflow.python.framework import convert_to_constants

import statpool
from statpool._options import STATISTICS
from tests.support.fresh_process import run

# How a process without statpool computes y from the model in a folder and the arrays
# in data.
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


def run_elsewhere(folder, **codes):
    """What models make of `inputs()` in one process, each by its folder's code."""
    np.savez(folder / "inputs.npz", *inputs())
    done = run(
        "import sys, numpy as np\n"
        "held = np.load(sys.argv[1] + '/inputs.npz')\n"
        "data = [held[name] for name in held.files]\n"
        f"for name, code in {codes}.items():\n"
        "    folder = sys.argv[1] + '/' + name\n"
        "    exec(code)\n"
        "    np.save(folder + '/y.npy', y)\n"
        "assert 'statpool' not in sys.modules\n",
        folder,
    )
    assert done.returncode == 0, done.stderr
    return {name: np.load(folder / name / "y.npy") for name in codes}


def inputs():
    x = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)
    x[1, 4:] = 0
    return x, np.array([[9], [7], [0]], np.int32)


SPECS = [tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in inputs()]


def model_with(implementation="native"):
    """A model with an implicit mask and lengths, called once."""
    x = keras.Input((9, 4), name="x0")
    lengths = keras.Input((1,), dtype="int32", name="x1")
    layer = statpool.GlobalStatsPooling1D(STATISTICS, implementation=implementation)
    pooled = layer(keras.layers.Masking()(x), lengths=lengths)
    keras.utils.set_random_seed(0)
    model = keras.Model([x, lengths], keras.layers.Dense(64)(pooled))
    model(list(inputs()))
    return model, layer


def export(model, path, form="tf_saved_model", **options):
    statpool.export(model, path, format=form, verbose=False, **options)


def save(model, path):
    module = tf.Module()
    module.model = model
    module.serve = tf.function(model, input_signature=[SPECS])
    with statpool.force_implementation("composite"):
        tf.saved_model.save(module, str(path))


def freeze(model, path):
    function = tf.function(lambda x0, x1: model([x0, x1]))
    with statpool.force_implementation("composite"):
        concrete = function.get_concrete_function(*SPECS)
    frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())


def convert(model, path, types=None):
    """LiteRT's converter; with weights of 8 bits, or of the types."""
    with statpool.force_implementation("composite"):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if types is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = types
        path.write_bytes(converter.convert())


def export_opset_17(model, path):
    export(model, path, "onnx", opset_version=17)
    assert onnx.load(path).opset_import[0].version == 17


def convert_to_onnx(model, path):
    """By the latest opset that the converter writes."""
    function = tf.function(lambda x0, x1: model([x0, x1]))
    opset = max(tf2onnx.constants.OPSET_TO_IR_VERSION)
    with statpool.force_implementation("composite"):
        tf2onnx.convert.from_function(function, SPECS, opset=opset, output_path=path)


# For each runtime what writes a model for it, to which file, and what runs that.
WAYS = {
    "tensorflow": {
        "export": (export, "model", TENSORFLOW),
        "tf.saved_model.save": (save, "model", TENSORFLOW),
        "frozen graph": (freeze, "model.pb", FROZEN),
    },
    "litert": {
        "export": (lambda m, p: export(m, p, "litert"), "model.tflite", LITERT),
        "converter": (convert, "model.tflite", LITERT),
        "float16": (lambda m, p: convert(m, p, [tf.float16]), "model.tflite", LITERT),
        "dynamic range": (lambda m, p: convert(m, p, []), "model.tflite", LITERT),
    },
    "onnx": {
        "export": (lambda m, p: export(m, p, "onnx"), "model.onnx", ONNX_RUNTIME),
        "opset 17": (export_opset_17, "model.onnx", ONNX_RUNTIME),
        "tf2onnx": (convert_to_onnx, "model.onnx", ONNX_RUNTIME),
    },
}
# The share of the largest result that quantised weights may cost.
QUANTISED = {"float16": 1e-3, "dynamic range": 2e-2}


@pytest.mark.parametrize("runtime", WAYS)
def test_models_run_elsewhere(runtime, tmp_path):
    model, layer = model_with()
    for way, (write, name, _) in WAYS[runtime].items():
        (tmp_path / way).mkdir()
        write(model, tmp_path / way / name)
        assert layer.implementation == "native"
    expected = model(list(inputs())).numpy()
    codes = {way: code for way, (_, _, code) in WAYS[runtime].items()}
    for way, y in run_elsewhere(tmp_path, **codes).items():
        error = np.abs(y - expected).max() / np.abs(expected).max()
        assert error < QUANTISED.get(way, 1e-6), way
        assert error > 1e-6 or way not in QUANTISED, "nothing was quantised"


@pytest.mark.parametrize("implementation", ["auto", "composite", "native"])
def test_the_choice_ends_with_the_export(implementation, tmp_path):
    model, layer = model_with(implementation)
    export(model, tmp_path / "model")
    assert b"Statpool" not in (tmp_path / "model" / "saved_model.pb").read_bytes()
    assert layer.implementation == implementation
    traced = tf.function(lambda x, n: model([x, n])).get_concrete_function(*inputs())
    has_op = "Statpool>GlobalStats" in str(traced.graph.as_graph_def())
    assert has_op == (implementation != "composite")


# --------------------------------------------------------------------- with the op


def test_a_native_export_says_what_loads_it(tmp_path, capsys):
    model, _ = model_with("composite")
    statpool.export(model, tmp_path / "op" / "model", implementation="native")
    said = capsys.readouterr().out.splitlines()[-1]
    assert f"the op library is loaded before it, here {statpool.library_path()}" in said
    load = (
        "import tensorflow as tf\n"
        "try:\n"
        "    tf.saved_model.load(folder + '/model')\n"
        "except Exception as error:\n"
        "    assert 'Statpool>GlobalStats' in str(error)\n"
        "else:\n"
        "    raise AssertionError('loaded without the op')\n"
        f"tf.load_op_library({statpool.library_path()!r})\n"
    )
    y = run_elsewhere(tmp_path, op=load + TENSORFLOW)["op"]
    np.testing.assert_allclose(y, model(list(inputs())), rtol=1e-5, atol=1e-5)


REFUSED = [
    ({"format": "parchment"}, "format"),
    ({"format": "onnx", "implementation": "native"}, "tf_saved_model.*'onnx'.*compos"),
    *(({"implementation": i}, "'composite' or 'native', got") for i in ("auto", None)),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_cannot_be_exported(options, words, tmp_path):
    model, _ = model_with()
    with pytest.raises(ValueError, match=words):
        statpool.export(model, tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


def test_a_choice_that_is_none():
    with (
        pytest.raises(ValueError, match="implementation"),
        statpool.force_implementation("fast"),
    ):
        pass
