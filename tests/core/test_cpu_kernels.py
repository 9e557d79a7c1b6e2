"""What is specific to the CPU kernels: conversions, threads, sets, binary."""

import re
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _native
from statpool import numpy as core
from tests.support import native_build
from tests.support.cases import DTYPES, FORMATS, numpy_dtype

COMPILED = statpool.build_info()["instruction_sets"]
# One that this processor doesn't have is skipped, and says so.
SETS = [
    name
    if name in core.instruction_sets()
    else pytest.param(name, marks=pytest.mark.skip(reason=f"no {name} here"))
    for name in COMPILED
]
SIXTEEN_BITS = [np.float16, ml_dtypes.bfloat16]
EVERYTHING = ("mean", "max", "min", "l2", "rms", "std")


def all_values(dtype):
    return np.arange(2**16, dtype=np.uint16).view(dtype)


def finite(values):
    return values[np.isfinite(values.astype(np.float32))]


def assert_same_bits(a, b):
    assert a.dtype == b.dtype
    nan = np.isnan(a.astype(np.float64))
    np.testing.assert_array_equal(nan, np.isnan(b.astype(np.float64)))
    np.testing.assert_array_equal(a[~nan].tobytes(), b[~nan].tobytes())


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
@pytest.mark.parametrize("channels", [1, 3, 2**16])
def test_every_16_bit_value_is_read_exactly(instruction_set, dtype, channels):
    """The max over one step, as float32, is the value itself."""
    values = np.resize(all_values(dtype), (-(-(2**16) // channels), 1, channels))
    y = core.global_stats(
        values,
        statistics=("max",),
        output_dtype="float32",
        instruction_set=instruction_set,
    )
    np.testing.assert_array_equal(y, values[:, 0].astype(np.float32))


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_results_are_rounded_to_nearest_even(instruction_set, dtype):
    """The mean of a value and its neighbour is a tie; of other pairs, anything."""
    values = np.sort(finite(all_values(dtype)).astype(np.float32)).astype(dtype)
    other = np.random.default_rng(0).permutation(values)
    for second in (np.roll(values, 1), other):
        x = np.stack([values, second])[np.newaxis]
        y = core.global_stats(x, statistics=("mean",), instruction_set=instruction_set)
        exact = x.astype(np.float64).sum(axis=1) / 2
        np.testing.assert_array_equal(y, exact.astype(np.float32).astype(dtype))


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_gradients_are_rounded_to_nearest_even(instruction_set, dtype):
    """With one step the gradient of the mean is the upstream, in float32, rounded."""
    rng = np.random.default_rng(0)
    values = finite(all_values(dtype)).astype(np.float32)
    upstream = np.nextafter(values, rng.choice([-1, 1], values.size)).astype(np.float32)
    upstream = np.concatenate([upstream, values, values / 2 + np.roll(values, 1) / 2])
    dx = core.global_stats_gradient(
        np.zeros((1, 1, upstream.size), dtype),
        upstream[np.newaxis],
        statistics=("mean",),
        output_dtype="float32",
        instruction_set=instruction_set,
    )
    np.testing.assert_array_equal(dx[0, 0], upstream.astype(dtype))


SHAPES = [(1, 1, 1), (2, 7, 3), (3, 80, 20), (1, 4097, 5), (2, 33, 515), (1, 70000, 2)]


@pytest.mark.parametrize("dtype", [*SIXTEEN_BITS, np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("instruction_set", SETS)
def test_one_result_for_every_instruction_set_and_thread_count(
    instruction_set, dtype, shape, masked, data_format
):
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=shape), 0).astype(dtype)
    if data_format == "channels_first":
        x = np.ascontiguousarray(x.transpose(0, 2, 1))
    mask = rng.random(shape[:2]) < 0.7 if masked else None
    options = {"mask": mask, "statistics": EVERYTHING, "data_format": data_format}
    y = core.global_stats(x, **options)
    upstream = rng.normal(size=y.shape).astype(dtype)
    dx = core.global_stats_gradient(x, upstream, **options)
    for num_threads in (1, 2, 7):
        how = {"instruction_set": instruction_set, "num_threads": num_threads}
        assert_same_bits(core.global_stats(x, **options, **how), y)
        again = core.global_stats_gradient(x, upstream, **options, **how)
        assert_same_bits(again, dx)


@pytest.mark.parametrize("shape", [(2, 30, 20), (1, 70000, 4)])
def test_the_op_gives_the_bits_of_the_numpy_binding(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    y = statpool.global_stats(x, implementation="native", statistics=EVERYTHING)
    assert_same_bits(y.numpy(), core.global_stats(x, statistics=EVERYTHING))


def test_subnormals_survive_tensorflows_threads():
    """TensorFlow's threads flush subnormal numbers to zero, our kernels must not."""
    x = np.full((64, 1500, 8), 1e-40, np.float32)
    for implementation in (core.global_stats, statpool.global_stats):
        y = np.asarray(implementation(x, statistics=("mean", "max"), epsilon=0))
        np.testing.assert_allclose(y, 1e-40, rtol=1e-4)


@pytest.mark.parametrize("offset", [1, 2, 3, 5])
def test_unaligned_slices_of_a_tensor(offset):
    base = tf.random.stateless_normal([9, 13, 7], seed=(0, 1))
    x = base[offset:]  # shares the buffer, at an odd address
    y = statpool.global_stats(x, implementation="native")
    assert_same_bits(y.numpy(), core.global_stats(x.numpy().copy()))


@pytest.mark.parametrize("more_bytes", [0, 32])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_gradients_take_the_streaming_path_and_agree(
    dtype, data_format, more_bytes
):
    """Rows are aligned to a cache line, or to half of one; NumPy's to 16 bytes."""
    dtype = numpy_dtype(dtype)
    time, channels = 1024 // dtype.itemsize, 1024 + more_bytes // dtype.itemsize
    last = data_format == "channels_last"
    shape = (48, time, channels) if last else (48, channels, time)  # 50 MB
    random = np.random.default_rng(0)
    x = np.resize(random.normal(size=1_000_003).astype(dtype), shape)
    upstream = random.normal(size=(48, 3 * channels)).astype(dtype)
    of_op = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(of_op)
        y = statpool.global_stats(
            of_op, implementation="native", data_format=data_format
        )
    large = (
        tape.gradient(y, of_op, tf.constant(upstream)).numpy(),
        core.global_stats_gradient(x, upstream, data_format=data_format),
    )
    for part in (slice(0, 16), slice(32, 48)):  # small, yet time is not split either
        dx = core.global_stats_gradient(
            x[part], upstream[part], data_format=data_format
        )
        for whole in large:
            assert_same_bits(whole[part], dx)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_workspace_is_small(dtype, data_format):
    """Of the default statistics; float64 sums carry the error of their rounding."""
    bytes_per_channel = 48 if dtype == "float64" else 16
    splits = set()
    for time in (1, 1000, 100_000, 2_000_000):
        for channels in (1, 7, 64):
            last = data_format == "channels_last"
            shape = (1, time, channels) if last else (1, channels, time)
            x = np.empty(shape, numpy_dtype(dtype))
            arguments = _native.core().PoolingArguments(
                x, None, None, ["mean", "max", "l2"], 0.0, data_format
            )
            plan = _native.core().cpu_plan(arguments)
            split = plan["splits"] if plan["splits"] > 1 else 0
            assert plan["workspace_bytes"] == bytes_per_channel * channels * split
            splits.add(split)
    assert len(splits) > 1


def run_in_a_process(code):
    """Runs what could end the process; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr}"
    return done.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's limits")
def test_threads_that_cannot_start_are_done_without():
    """No memory for another stack: the caller does all the work."""
    printed = run_in_a_process("""
import resource, threading
import numpy as np
from statpool import numpy as core

x = np.random.default_rng(0).normal(size=(64, 512, 64)).astype(np.float32)
expected = core.global_stats(x, num_threads=1)
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (4 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
try:
    threading.Thread(target=print).start()
except RuntimeError:
    print("no thread")
print((core.global_stats(x, num_threads=8) == expected).all())
""")
    assert printed.split("\n")[:2] == ["no thread", "True"]


def test_kernels_need_little_stack():
    """Of every way through them, with float64, whose tiles are the largest."""
    printed = run_in_a_process("""
import itertools, threading
import numpy as np
from statpool import numpy as core

every = "mean", "max", "min", "l2", "rms", "std"
shapes = (2, 600, 513), (2, 64, 600), (1, 50_000, 70), (2, 30, 5), (2, 300, 48)

def run():
    for shape, masked in itertools.product(shapes, (False, True)):
        for data_format in ("channels_last", "channels_first"):
            x = np.ones(shape)
            time = shape[1 if data_format == "channels_last" else 2]
            mask = np.arange(2 * time).reshape(2, time)[: shape[0]] % 3 > 0
            options = dict(statistics=every, data_format=data_format, num_threads=1)
            mask = mask if masked else None
            y = core.global_stats(x, mask, **options)
            core.global_stats_gradient(x, y, mask, **options)
    print("done")

threading.stack_size(96 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
""")
    assert printed == "done\n"


@pytest.mark.parametrize("name", ["avx9000", "", "AVX2"])
def test_unknown_instruction_set_is_an_error(name):
    with pytest.raises(ValueError, match="instruction_set must be one"):
        core.global_stats(np.ones((1, 2, 3)), instruction_set=name)


def test_wrong_thread_count_is_an_error():
    with pytest.raises(ValueError, match="num_threads must be at least 1, got 0"):
        core.global_stats(np.ones((1, 2, 3)), num_threads=0)


def test_binding_checks_what_python_passes_on():
    binding = _native.core()
    x = np.ones((2, 5, 3), np.float32)
    arguments = binding.PoolingArguments(x, None, None, ["mean"], 0.0, "channels_last")
    good = np.empty((2, 3), np.float32)
    saved = np.empty((2, 2, 3), np.float32)
    binding.global_stats(good, saved, arguments, None, 1)
    for y in (good[:1], good.astype(np.float64), np.empty((3, 2), np.float32).T):
        with pytest.raises(ValueError, match="y must"):
            binding.global_stats(y, saved, arguments, None, 1)
    good.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        binding.global_stats(good, saved, arguments, None, 1)


def symbols(path, *options):
    listed = subprocess.run(
        ["nm", "-C", *options, path], capture_output=True, check=True, text=True
    )
    return [line.split(maxsplit=2)[-2:] for line in listed.stdout.splitlines()]


def test_instruction_sets_keep_their_code_to_themselves():
    """A weak symbol of an AVX-512 file could be linked into everybody's path.

    And the name of the set is in that of each function, for profilers and debuggers.
    """
    for name in (*COMPILED[:-1], "baseline"):
        folder = native_build.DEFAULT / "cc/cpu/CMakeFiles" / f"statpool_cpu_{name}.dir"
        listed = symbols(folder / "kernels_isa.cc.o", "--defined-only")
        assert [symbol for kind, symbol in listed if kind in "VWu"] == [], name
        code = [symbol for kind, symbol in listed if kind in "tT"]
        own = f"statpool::cpu::{name}::"
        assert code
        assert [symbol for symbol in code if own not in symbol] == []


def exported_of_ours(library):
    exported = symbols(library, "--dynamic", "--defined-only")
    return [name for _, name in exported if re.search(r"\bstatpool::|cuda[A-Z]", name)]


def test_what_loads_the_kernels_exports_nothing():
    for library in (_native.OP_LIBRARY, _native.XLA_LIBRARY):
        assert exported_of_ours(library) == [], library


def test_the_kernels_export_what_headers_promise_and_no_more():
    """And nothing of the CUDA runtime that they hold: TensorFlow has its own."""
    header = re.compile(r"STATPOOL_API (?!__)[^;(]*?(\w+)\(")
    promised = {
        name
        for folder in ("cc/core", "cc/cpu", "cuda")
        for path in (native_build.ROOT / folder).glob("*.h")
        for name in header.findall(path.read_text())
    }
    library = _native.OP_LIBRARY.with_name("libstatpool_kernels.so")
    found = {
        re.match(r"statpool::\w+::(\w+)", name)[1] for name in exported_of_ours(library)
    }
    lacking = promised - found
    assert found <= promised
    assert {"GlobalStats", "GlobalStatsGradient", "MakePlan"} <= found
    # Those of CUDA are there where it is.
    if statpool.build_info()["cuda"]:
        assert not lacking


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_arrays_of_the_other_byte_order_are_converted(dtype):
    """As readers of audio files return them."""
    x = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(dtype)
    upstream = np.random.default_rng(1).normal(size=(2, 9)).astype(dtype)
    lengths = np.array([4, 9], np.int32)
    other = [a.astype(a.dtype.newbyteorder()) for a in (x, upstream, lengths)]
    assert not other[0].dtype.isnative
    np.testing.assert_array_equal(
        core.global_stats(other[0], lengths=other[2]),
        core.global_stats(x, lengths=lengths),
    )
    np.testing.assert_array_equal(
        core.global_stats_gradient(other[0], other[1], lengths=other[2]),
        core.global_stats_gradient(x, upstream, lengths=lengths),
    )
