"""Inside XLA: the same kernels, hence the same bits, and nothing copied for them.

The contract holds there too: tests/contract runs over `native-xla`.
"""

import functools
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _native
from tests.support import fresh_process
from tests.support.cases import DTYPES, FORMATS, Case
from tests.support.implementations import TensorFlow

INSIDE, EAGER = TensorFlow("native", "xla"), TensorFlow("native", "eager")
CALLS = ["statpool.global_stats", "statpool.global_stats_gradient"]
# The second is split along time, the third is enough for several threads.
SIZES = [(3, 65, 17), (1, 50_000, 3), (16, 300, 130), (2, 1, 1)]


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 10, 6)).astype(np.float32)


def compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


def pool_and_gradient(x, upstream, **options):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = statpool.global_stats(x, **options)
    return y, tape.gradient(y, x, upstream)


def hlo(function, *arguments):
    """What XLA runs, one instruction a line."""
    return function.experimental_get_compiler_ir(*arguments)(stage="optimized_hlo")


def calls(text):
    """The custom calls of statpool in an HLO text, sorted."""
    return sorted(re.findall(r'custom_call_target="(statpool\.[^"]*)"', text))


def test_every_kernel_has_its_handler():
    """Else XLA would compile calls of what isn't there."""
    done = fresh_process.succeed(
        # The devices are those of the library that this process finds, not of --build.
        "from statpool import _native; print(*_native.xla_devices())",
        TF_CPP_VMODULE="ffi_api=2",  # XLA tells what is registered with it
        TF_CPP_MIN_LOG_LEVEL="0",
    )
    registered = r"XLA FFI handler for '(statpool\.\w+)'; platform=(\w+)"
    platforms = {"CPU": "Host", "GPU": "CUDA"}
    assert sorted(re.findall(registered, done.stderr)) == sorted(
        (target, platforms[device])
        for target in CALLS
        for device in done.stdout.split()
    )


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_as_eager(dtype, data_format):
    for size in SIZES:
        for padding in ("none", "both"):
            case = Case(*size, dtype, "normal", padding, 1 / 3, data_format)
            values, gradient = INSIDE.values_of(case), INSIDE.gradient_of(case)
            assert values.tobytes() == EAGER.values_of(case).tobytes(), case
            assert gradient.tobytes() == EAGER.gradient_of(case).tobytes(), case


@pytest.mark.parametrize("data_format", FORMATS)
def test_x_is_read_where_it_lies(x, data_format):
    upstream = tf.ones([4, 3 * x.shape[2 if data_format == "channels_last" else 1]])

    def function(x, upstream):
        return pool_and_gradient(tf.nn.relu(x), upstream, data_format=data_format)

    text = hlo(compiled(function), tf.constant(x), upstream)
    assert calls(text) == CALLS
    shape = r"f32\[4,10,6\]"
    assert re.search(rf"= {shape}\S* ", text)
    assert not re.search(rf"= {shape}\S* (copy|transpose|pad|convert)\(", text), text


def test_calls_that_nobody_reads_are_dropped(x):
    def values(x):
        y, _ = pool_and_gradient(x, tf.ones([4, 18]))
        return y

    def neither(x):
        pool_and_gradient(x, tf.ones([4, 18]))
        return x + 1

    assert calls(hlo(compiled(values), tf.constant(x))) == CALLS[:1]
    assert calls(hlo(compiled(neither), tf.constant(x))) == []


def test_sizes_may_differ_from_call_to_call():
    spec = tf.TensorSpec([None, None, 5], tf.float32)
    function = tf.function(statpool.global_stats, [spec], jit_compile=True)
    for size in [(1, 1, 5), (7, 30, 5), (0, 4, 5), (3, 0, 5), (1, 1, 5)]:
        x = np.random.default_rng(1).normal(size=size).astype(np.float32)
        np.testing.assert_array_equal(function(x), statpool.global_stats(x))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.ones([4, 10])}, "x must have rank 3"),
        ({"mask": np.ones([4, 9], bool)}, r"mask must have shape \[B, T\]"),
        ({"lengths": np.ones([5], np.int64)}, r"lengths must have shape \[B\]"),
        ({"lengths": np.full([4], 11, np.int64)}, "lengths must lie in .* got 11"),
        ({"upstream": np.ones([4, 17])}, r"upstream must have shape \[B, S \* C\]"),
    ],
)
def test_what_tracing_cannot_know_is_checked_later(x, changes, message):
    mask, lengths = np.ones([4, 10], bool), np.full([4], 10, np.int64)
    arguments = {"x": x, "upstream": np.ones([4, 18]), "mask": mask, "lengths": lengths}
    dtypes = (tf.float32, tf.float32, tf.bool, tf.int64)

    def function(x, upstream, mask, lengths):
        options = {"mask": mask, "lengths": lengths, "implementation": "native"}
        return pool_and_gradient(x, upstream, **options)

    specs = [tf.TensorSpec(None, dtype) for dtype in dtypes]
    function = tf.function(function, specs, jit_compile=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        function(*(arguments | changes).values())
    function(*arguments.values())  # and still works


def test_sizes_that_only_the_data_decide_are_refused(x):
    function = compiled(lambda x, keep: statpool.global_stats(tf.boolean_mask(x, keep)))
    with pytest.raises(tf.errors.UnimplementedError, match="'composite'"):
        function(x, tf.constant([True, False, True, True]))


def test_inside_a_loop(x):
    def function(x):
        def body(i, total):
            return i + 1, total + statpool.global_stats(x * tf.cast(i, x.dtype))

        return tf.while_loop(lambda i, _: i < 5, body, (1, tf.zeros([4, 18])))[1]

    np.testing.assert_array_equal(compiled(function)(x), function(tf.constant(x)))


def test_calls_from_many_threads_at_once():
    """Threads of TensorFlow's pools among them, which wait for each other's work."""
    x = np.random.default_rng(2).normal(size=(16, 300, 130)).astype(np.float32)
    function = compiled(lambda i: statpool.global_stats(x + tf.cast(i, tf.float32)))
    results = tf.data.Dataset.range(32).map(function, num_parallel_calls=8)
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, statpool.global_stats(x + np.float32(i)))


def test_a_saved_function_stays_compiled(x, tmp_path):
    module = tf.Module()
    spec = tf.TensorSpec([None, 10, 6], tf.float32)
    module.pool = tf.function(statpool.global_stats, [spec], jit_compile=True)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(loaded.pool(x), statpool.global_stats(x))


AUTO_CLUSTERING = """
import tensorflow as tf, statpool
tf.config.optimizer.set_jit("autoclustering")
x = tf.random.stateless_normal([4, 10, 6], [1, 2])

@tf.function
def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = statpool.global_stats(tf.nn.relu(x * 2) + 1) * 3
    return y, tape.gradient(y, x)

@tf.function
def of_kept(x, keep=tf.constant([True, False] * 5)):
    return gradient.python_function(tf.boolean_mask(x, keep, axis=1))

for function in (gradient, of_kept):  # the second has sizes that the data decide
    for result, expected in zip(function(x), function.python_function(x)):
        tf.debugging.assert_equal(result, expected)
"""


def test_auto_clustering_compiles_the_op(tmp_path):
    flags = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit --tf_xla_min_cluster_size=1"
    dump = f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text"
    fresh_process.succeed(AUTO_CLUSTERING, TF_XLA_FLAGS=flags, XLA_FLAGS=dump)
    modules = [file.read_text() for file in tmp_path.glob("*after_optimizations.txt")]
    assert {call for text in modules for call in calls(text)} == set(CALLS)


@pytest.mark.parametrize(
    ("library", "warning"),
    [
        ("none", "headers of TensorFlow 2.20 or newer, got none .*make clean build"),
        ("broken", "must load into TensorFlow.*make clean build"),
        (None, "got none for TPU"),
    ],
)
def test_the_composite_replaces_kernels_that_are_not_there(
    x, monkeypatch, tmp_path, library, warning
):
    """While a function is traced, with one warning."""
    for module, name in ((_native, "why_not_in_xla"), (_native, "warn_once")):
        uncached = getattr(module, name).__wrapped__
        monkeypatch.setattr(module, name, functools.cache(uncached))
    if library:
        if library == "broken":
            name = Path(statpool.library_path()).name
            broken = tmp_path / name.replace("statpool", "statpool_xla")
            broken.write_text("not a library")
        monkeypatch.setattr(_native, "FOLDER", tmp_path)
        monkeypatch.setattr(_native, "_registered_devices", lambda: {"CPU"})
    else:
        devices = [tf.config.LogicalDevice("TPU:0", "TPU")]
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
    function = compiled(lambda x: statpool.global_stats(x) + 0)
    with pytest.warns(UserWarning, match=warning):
        y = function(x)
    assert calls(hlo(function, tf.constant(x))) == []
    np.testing.assert_allclose(y, statpool.global_stats(x), rtol=1e-6, atol=1e-6)
    native = compiled(lambda x: statpool.global_stats(x, implementation="native"))
    with pytest.raises(statpool.NativeLibraryError, match=warning):
        native(x)
