"""Every selection of statistics, every size left open: exported, and run elsewhere."""

import contextlib
import itertools
import warnings

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
import tf2onnx
from ai_edge_litert.interpreter import Interpreter

import statpool
from statpool import composite, reference
from statpool._options import STATISTICS
from tests.support.fresh_process import run

COUNTS = range(1, len(STATISTICS) + 1)
SELECTIONS = [s for n in COUNTS for s in itertools.combinations(STATISTICS, n)]
SINGLES = [(name,) for name in STATISTICS]
SAMPLE = [*SINGLES, ("mean", "max", "l2"), ("mean", "std"), STATISTICS]
SOME = pytest.mark.parametrize("statistics", [*SINGLES, STATISTICS], ids="-".join)
X = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
MASK = np.array([[1, 1, 0, 1, 1, 0, 1], [0] * 7], bool)
LENGTHS = np.array([3, 7], np.int32)
PADDING = {
    "none": {},
    "mask": {"mask": MASK},
    "lengths": {"lengths": LENGTHS},
    "both": {"mask": MASK, "lengths": LENGTHS},
}


def specs_of(arrays, known):
    """Specs that know every size, or, as those of models do, the channels alone."""
    for name, array in arrays.items():
        channels = array.shape[-1:] if name in ("x", "inputs") else ()
        unknown = [None] * (array.ndim - len(channels))
        shape = array.shape if known else [*unknown, *channels]
        yield tf.TensorSpec(shape, array.dtype, name)


def in_onnx_runtime(function, arrays, known):
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda *a: function(**dict(zip(arrays, a, strict=True)))),
        list(specs_of(arrays, known)),
    )
    assert {opset.domain for opset in model.opset_import} <= {"", "ai.onnx.ml"}
    return lambda **arrays: of_onnx_runtime(model.SerializeToString(), arrays.values())


def of_onnx_runtime(model, arrays):
    session = onnxruntime.InferenceSession(model)
    names = [wanted.name for wanted in session.get_inputs()]
    (y,) = session.run(None, dict(zip(names, arrays, strict=True)))
    return y


def in_litert(function, arrays, known):
    module = tf.Module()
    module.function = tf.function(function)
    specs = {spec.name: spec for spec in specs_of(arrays, known)}
    concrete = module.function.get_concrete_function(**specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    interpreter = Interpreter(model_content=converter.convert())
    kinds = {op["op_name"] for op in interpreter._get_ops_details()}
    assert not [kind for kind in kinds if "Flex" in kind or "CUSTOM" in kind.upper()]
    signature = interpreter.get_signature_runner()
    return lambda **arrays: next(iter(signature(**arrays).values()))


RUNTIMES = {"litert": in_litert, "onnx": in_onnx_runtime}


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    return RUNTIMES[request.param]


def check(runtime, *inputs, known=False, **options):
    """Converts the composite once; each of the inputs must give the reference's."""

    def pool(**arguments):
        return composite.global_stats(**arguments, **options)

    run = runtime(pool, inputs[0], known)
    for arrays in inputs:
        expected = reference.global_stats(**arrays, **options)
        atol = 1e-6 * np.abs(arrays["x"]).mean()
        np.testing.assert_allclose(run(**arrays), expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("statistics", SELECTIONS, ids="-".join)
def test_every_selection(request, statistics, runtime):
    if statistics not in SAMPLE and not request.config.getoption("--all-selections"):
        pytest.skip("a sample in the gate; all of them by `make test-exports`")
    check(runtime, {"x": X}, statistics=statistics)


@SOME
@pytest.mark.parametrize("padding", ["mask", "lengths", "both"])
def test_padding_and_another_axis(statistics, padding, runtime):
    options = {"statistics": statistics, "epsilon": 1e-6, "keepdims": True}
    check(runtime, {"x": X, **PADDING[padding]}, **options)


FORMATS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])


@FORMATS
@pytest.mark.parametrize("padding", PADDING)
def test_series_of_known_sizes(data_format, padding, runtime):
    x = X if data_format == "channels_last" else np.ascontiguousarray(X.swapaxes(1, 2))
    usual, huge = (
        {"x": x * size, **PADDING[padding]} for size in np.float32([1, 1e30])
    )
    options = {"statistics": STATISTICS, "data_format": data_format}
    check(runtime, usual, huge, known=True, **options)


def check_images(runtime, mask_rank, known, *options):
    layer = statpool.GlobalStatsPooling2D(*options, implementation="composite")
    shape = (2, 4, 5, 3) if layer.data_format == "channels_last" else (2, 3, 4, 5)
    rng = np.random.default_rng(0)
    arrays = {"inputs": rng.normal(size=shape).astype(np.float32)}
    if mask_rank:
        arrays["mask"] = rng.random((2, 4, 5)[:mask_rank]) < 0.5
    y = runtime(layer.call, arrays, known)(**arrays)
    np.testing.assert_allclose(y, layer(**arrays), rtol=1e-5, atol=1e-5)


@SOME
@pytest.mark.parametrize("mask_rank", [0, 2, 3])
def test_images_of_any_size(statistics, mask_rank, runtime):
    check_images(runtime, mask_rank, False, statistics)


@FORMATS
@pytest.mark.parametrize("mask_rank", [0, 3])
def test_images_of_known_sizes(data_format, mask_rank, runtime):
    check_images(runtime, mask_rank, True, STATISTICS, 1e-12, data_format)


# ------------------------------------------------------------- whole models, by Keras


def model_of(statistics, rank=3):
    """A model with the op and every size open, an input, and what it makes of that."""
    make = statpool.GlobalStatsPooling1D if rank == 3 else statpool.GlobalStatsPooling2D
    layers = [make(statistics, implementation="native"), keras.layers.Dense(4)]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((*[None] * (rank - 2), 3)), *layers])
    x = X if rank == 3 else X[:, :, np.newaxis]
    return model, x, model(x)


def by_keras(model, path, **options):
    with statpool.force_implementation("composite"):
        model.export(path, verbose=False, **options)


def by_statpool(model, path, **options):
    statpool.export(model, path, verbose=False, **options)


@pytest.mark.parametrize("write", [by_keras, by_statpool])
@pytest.mark.parametrize("rank", [3, 4])
@SOME
def test_models_for_onnx(statistics, rank, write, tmp_path):
    model, x, expected = model_of(statistics, rank)
    write(model, tmp_path / "model.onnx", format="onnx")
    y = of_onnx_runtime(tmp_path / "model.onnx", [x])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", [3, 4])
def test_models_for_litert(rank, tmp_path):
    model, x, expected = model_of(STATISTICS, rank)
    by_statpool(model, tmp_path / "model.tflite", format="litert")
    signature = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner()
    (name,) = signature.get_input_details()
    (y,) = signature(**{name: x}).values()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("form", "suffix"), [("onnx", "onnx"), ("litert", "tflite")])
def test_an_exporter_that_would_write_the_op_is_warned_of(form, suffix, tmp_path):
    model, path = model_of(("mean",))[0], str(tmp_path / f"model.{suffix}")
    with (
        pytest.warns(UserWarning, match=r"ONNX or LiteRT.*statpool\.export"),
        contextlib.suppress(Exception),  # LiteRT's converter refuses the op
    ):
        model.export(path, format=form, verbose=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="statpool")
        by_statpool(model, path, format=form)


GRADIENT = (
    "import sys, numpy as np, tensorflow as tf\n"
    "path = sys.argv[1] + '/model'\n"
    "def slope(call, weight):\n"
    "    x = tf.constant(np.arange(42, dtype='float32').reshape(2, 7, 3))\n"
    "    with tf.GradientTape() as tape:\n"
    "        loss = tf.reduce_sum(call(x) ** 2)\n"
    "    return tape.gradient(loss, weight)\n"
)


def test_a_saved_model_can_be_trained_on_where_nobody_knows_statpool(tmp_path):
    """Neither the writing nor the loading process hears of custom gradients."""
    written = run(
        f"{GRADIENT}import keras, statpool\n"
        "hidden = keras.layers.Dense(5, kernel_initializer='ones')\n"
        f"pooling = statpool.GlobalStatsPooling1D({STATISTICS})\n"
        "model = keras.Sequential([keras.Input((7, 3)), hidden, pooling])\n"
        "statpool.export(model, path, verbose=False)\n"
        "np.save(path + '/slope.npy', slope(model, model.weights[0]))\n",
        tmp_path,
    )
    loaded = run(
        f"{GRADIENT}model = tf.saved_model.load(path)\n"
        "found = slope(model.serve, model.trainable_variables[0])\n"
        "np.testing.assert_allclose(found, np.load(path + '/slope.npy'), rtol=1e-4)\n"
        "assert 'statpool' not in sys.modules\n",
        tmp_path,
    )
    assert (written.returncode, loaded.returncode) == (0, 0), (
        written.stderr + loaded.stderr
    )
    assert "custom gradient" not in written.stderr + loaded.stderr
