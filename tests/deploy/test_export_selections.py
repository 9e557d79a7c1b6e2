"""Every selection of statistics, every size left open: exported, and run elsewhere."""

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

SELECTIONS = [
    names
    for count in range(1, len(STATISTICS) + 1)
    for names in itertools.combinations(STATISTICS, count)
]
SINGLES = [(name,) for name in STATISTICS]
SAMPLE = [*SINGLES, ("mean", "max", "l2"), ("mean", "std"), STATISTICS]
X = np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)
MASK = np.array([[1, 1, 0, 1, 1, 0, 1], [0] * 7], bool)
LENGTHS = np.array([3, 7], np.int32)
PADDING = {
    "none": {},
    "mask": {"mask": MASK},
    "lengths": {"lengths": LENGTHS},
    "both": {"mask": MASK, "lengths": LENGTHS},
}


def open_specs(arrays):
    """Specs of which the channels alone are known, as models have them."""
    for name, array in arrays.items():
        known = array.shape[-1:] if name in ("x", "inputs") else ()
        unknown = [None] * (array.ndim - len(known))
        yield name, tf.TensorSpec([*unknown, *known], array.dtype, name)


def in_onnx_runtime(function, arrays):
    specs = [spec for _, spec in open_specs(arrays)]
    model, _ = tf2onnx.convert.from_function(
        tf.function(lambda *a: function(**dict(zip(arrays, a, strict=True)))), specs
    )
    assert {opset.domain for opset in model.opset_import} <= {"", "ai.onnx.ml"}
    return of_onnx_runtime(model.SerializeToString(), arrays.values())


def of_onnx_runtime(model, arrays):
    session = onnxruntime.InferenceSession(model)
    names = [wanted.name for wanted in session.get_inputs()]
    (y,) = session.run(None, dict(zip(names, arrays, strict=True)))
    return y


def in_litert(function, arrays):
    module = tf.Module()
    module.function = tf.function(function)
    concrete = module.function.get_concrete_function(**dict(open_specs(arrays)))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    interpreter = Interpreter(model_content=converter.convert())
    kinds = {op["op_name"] for op in interpreter._get_ops_details()}
    assert not [kind for kind in kinds if "Flex" in kind or "CUSTOM" in kind.upper()]
    (y,) = interpreter.get_signature_runner()(**arrays).values()
    return y


RUNTIMES = {"litert": in_litert, "onnx": in_onnx_runtime}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("statistics", SELECTIONS, ids="-".join)
def test_every_selection(request, statistics, runtime):
    if statistics not in SAMPLE and not request.config.getoption("--all-selections"):
        pytest.skip("a sample in the gate; all of them by `make test-exports`")
    y = RUNTIMES[runtime](
        lambda x: composite.global_stats(x, statistics=statistics), {"x": X}
    )
    expected = reference.global_stats(X, statistics=statistics)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("padding", ["mask", "lengths", "both"])
@pytest.mark.parametrize("statistics", [*SINGLES, STATISTICS], ids="-".join)
def test_padding_and_another_axis(statistics, padding, runtime):
    arrays = {"x": X, **PADDING[padding]}
    options = {"statistics": statistics, "epsilon": 1e-6}
    y = RUNTIMES[runtime](
        lambda **arguments: composite.global_stats(
            **arguments, **options, keepdims=True
        ),
        arrays,
    )
    expected = reference.global_stats(**arrays, **options, keepdims=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("mask_rank", [0, 2, 3])
@pytest.mark.parametrize("statistics", [*SINGLES, STATISTICS], ids="-".join)
def test_images_of_any_size(statistics, mask_rank, runtime):
    layer = statpool.GlobalStatsPooling2D(statistics, implementation="composite")
    rng = np.random.default_rng(0)
    arrays = {"inputs": rng.normal(size=(2, 4, 5, 3)).astype(np.float32)}
    if mask_rank:
        arrays["mask"] = rng.random((2, 4, 5)[:mask_rank]) < 0.5
    y = RUNTIMES[runtime](layer.call, arrays)
    np.testing.assert_allclose(y, layer(**arrays), rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------- whole models, by Keras


def model_of(statistics, rank=3, implementation="native"):
    """Sizes open, called once."""
    make = statpool.GlobalStatsPooling1D if rank == 3 else statpool.GlobalStatsPooling2D
    inputs = keras.Input((*[None] * (rank - 2), 3))
    pooled = make(statistics, implementation=implementation)(inputs)
    keras.utils.set_random_seed(0)
    model = keras.Model(inputs, keras.layers.Dense(4)(pooled))
    x = X if rank == 3 else X[:, :, np.newaxis]
    return model, x, model(x)


def by_keras(model, path, **options):
    with statpool.force_implementation("composite"):
        model.export(path, verbose=False, **options)


def by_statpool(model, path, **options):
    statpool.export(model, path, verbose=False, **options)


WRITERS = {"keras": by_keras, "statpool": by_statpool}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize("statistics", [*SINGLES, STATISTICS], ids="-".join)
def test_models_for_onnx(statistics, rank, writer, tmp_path):
    model, x, expected = model_of(statistics, rank)
    path = tmp_path / "model.onnx"
    WRITERS[writer](model, path, format="onnx")
    y = of_onnx_runtime(path, [x])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rank", [3, 4])
def test_models_for_litert(rank, tmp_path):
    model, x, expected = model_of(STATISTICS, rank)
    path = tmp_path / "model.tflite"
    by_statpool(model, path, format="litert")
    signature = Interpreter(str(path)).get_signature_runner()
    (name,) = signature.get_input_details()
    (y,) = signature(**{name: x}).values()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_an_exporter_that_would_write_the_op_is_warned_of(form, tmp_path):
    model, _, _ = model_of(("mean",))
    suffix = {"onnx": "onnx", "litert": "tflite"}[form]
    path = str(tmp_path / f"model.{suffix}")

    def export(writer):
        try:
            writer(model, path, format=form)
        except Exception as error:  # LiteRT's converter refuses the op
            return str(error)

    with pytest.warns(UserWarning, match=r"ONNX or LiteRT.*statpool\.export"):
        export(lambda model, path, **options: model.export(path, **options))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="statpool")
        assert export(by_statpool) is None


@pytest.mark.parametrize("implementation", ["auto", "fast", None])
def test_an_export_is_of_one_form(implementation, tmp_path):
    model, _, _ = model_of(("mean",))
    with pytest.raises(ValueError, match="'composite' or 'native', got"):
        statpool.export(model, tmp_path / "m", implementation=implementation)
    assert not (tmp_path / "m").exists()


def test_a_saved_model_can_be_trained_on_where_nobody_knows_statpool(tmp_path):
    """Neither who writes nor who loads it hears of custom gradients."""
    written = run(
        "import sys, keras, numpy as np, statpool, tensorflow as tf\n"
        "inputs = keras.Input((7, 3))\n"
        "hidden = keras.layers.Dense(5, kernel_initializer='ones')(inputs)\n"
        f"pooled = statpool.GlobalStatsPooling1D({STATISTICS})(hidden)\n"
        "model = keras.Model(inputs, pooled)\n"
        "statpool.export(model, sys.argv[1] + '/model', verbose=False)\n"
        "x = tf.constant(np.arange(42, dtype='float32').reshape(2, 7, 3))\n"
        "with tf.GradientTape() as tape:\n"
        "    loss = tf.reduce_sum(model(x) ** 2)\n"
        "np.save(sys.argv[1] + '/slope.npy', tape.gradient(loss, model.weights[0]))\n",
        tmp_path,
    )
    assert written.returncode == 0, written.stderr
    loaded = run(
        "import sys, numpy as np, tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1] + '/model')\n"
        "x = tf.constant(np.arange(42, dtype='float32').reshape(2, 7, 3))\n"
        "with tf.GradientTape() as tape:\n"
        "    loss = tf.reduce_sum(model.serve(x) ** 2)\n"
        "found = tape.gradient(loss, model.trainable_variables[0])\n"
        "expected = np.load(sys.argv[1] + '/slope.npy')\n"
        "np.testing.assert_allclose(found, expected, rtol=1e-4)\n"
        "assert 'statpool' not in sys.modules\n",
        tmp_path,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert "custom gradient" not in written.stderr + loaded.stderr
