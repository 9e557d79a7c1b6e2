"""What is specific to the CPU kernels: conversions, threads, sets, binary."""

import sys

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _native
from statpool import numpy as core
from tests.support import fresh_process
from tests.support.cases import DTYPES, FORMATS, Case, numpy_dtype
from tests.support.exact import STATISTICS
from tests.support.implementations import INSTRUCTION_SETS, NumpyCore, TensorFlow

SIXTEEN_BITS = [np.float16, ml_dtypes.bfloat16]
NATIVE = TensorFlow("native", "eager")


@pytest.fixture(params=INSTRUCTION_SETS)
def kernels(request):
    """The core with one of its instruction sets."""
    if request.param not in core.instruction_sets():
        pytest.skip(f"this processor has no {request.param}")
    return NumpyCore(request.param)


def all_values(dtype):
    return np.arange(2**16, dtype=np.uint16).view(dtype)


def finite_values(dtype):
    values = all_values(dtype).astype(np.float32)
    return np.sort(values[np.isfinite(values)])


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
@pytest.mark.parametrize("channels", [1, 3, 2**16])
def test_every_16_bit_value_is_read_exactly(kernels, dtype, channels):
    """The max over one step, as float32, is the value itself."""
    values = np.resize(all_values(dtype), (-(-(2**16) // channels), 1, channels))
    y = kernels.forward(values, statistics=("max",), output_dtype="float32")
    np.testing.assert_array_equal(y, values[:, 0].astype(np.float32))


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_results_are_rounded_to_nearest_even(kernels, dtype):
    """The mean of a value and its neighbour is a tie; of other pairs, anything."""
    values = finite_values(dtype).astype(dtype)
    other = np.random.default_rng(0).permutation(values)
    for second in (np.roll(values, 1), other):
        x = np.stack([values, second])[np.newaxis]
        exact = x.astype(np.float64).sum(axis=1) / 2
        y = kernels.forward(x, statistics=("mean",))
        np.testing.assert_array_equal(y, exact.astype(np.float32).astype(dtype))


@pytest.mark.parametrize("dtype", SIXTEEN_BITS)
def test_gradients_are_rounded_to_nearest_even(kernels, dtype):
    """With one step the gradient of the mean is the upstream, in float32, rounded."""
    values = finite_values(dtype)
    sides = np.random.default_rng(0).choice(np.float32([-1, 1]), values.size)
    upstream = np.nextafter(values, sides)
    upstream = np.concatenate([upstream, values, values / 2 + np.roll(values, 1) / 2])
    options = {"statistics": ("mean",), "output_dtype": "float32"}
    x = np.zeros((1, 1, upstream.size), dtype)
    dx = kernels.gradient(x, upstream[np.newaxis], **options)
    np.testing.assert_array_equal(dx[0, 0], upstream.astype(dtype))


def test_the_op_gives_the_bits_of_the_numpy_binding():
    tensors = [tf.constant(Case(*shape).x()) for shape in ((2, 30, 20), (1, 70000, 4))]
    base = tf.constant(Case(9, 13, 7).x())
    # A slice shares the buffer, at an odd address.
    for x in (*tensors, *(base[offset:] for offset in (1, 2, 3, 5))):
        y = statpool.global_stats(x, implementation="native", statistics=STATISTICS)
        same = core.global_stats(x.numpy().copy(), statistics=STATISTICS)
        assert y.numpy().tobytes() == same.tobytes()


def test_subnormals_survive_tensorflows_threads():
    """TensorFlow's threads flush subnormal numbers to zero, our kernels must not."""
    x = np.full((64, 1500, 8), 1e-40, np.float32)
    for forward in (core.global_stats, NATIVE.forward):
        y = forward(x, statistics=("mean", "max"), epsilon=0)
        np.testing.assert_allclose(y, 1e-40, rtol=1e-4)


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
    options = {"data_format": data_format}
    by_op = NATIVE.gradient(x, upstream, **options)
    by_core = core.global_stats_gradient(x, upstream, **options)
    for part in (slice(0, 16), slice(32, 48)):  # small, yet time is not split either
        dx = core.global_stats_gradient(x[part], upstream[part], **options)
        for whole in (by_op, by_core):
            assert whole[part].tobytes() == dx.tobytes()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's limits")
def test_threads_that_cannot_start_are_done_without():
    """Without memory for another stack the caller does all the work."""
    done = fresh_process.succeed("""
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
    assert done.stdout.split("\n")[:2] == ["no thread", "True"]


def test_kernels_need_little_stack():
    """Every way through them, with float64, whose tiles are the largest."""
    done = fresh_process.succeed("""
import threading
from statpool import numpy as core
from tests.support.cases import FORMATS, Case
from tests.support.implementations import NumpyCore

kernels = NumpyCore(core.instruction_sets()[0])
shapes = (2, 600, 513), (2, 64, 600), (1, 50_000, 70), (2, 30, 5), (2, 300, 48)
shapes += ((70, 15, 1),)
cases = [
    Case(*shape, "float64", padding=padding, data_format=data_format)
    for shape in shapes for padding in ("none", "mask") for data_format in FORMATS
]

def run():
    for case in cases:
        kernels.values_of(case, num_threads=1)
        kernels.gradient_of(case, num_threads=1)
    print("done")

threading.stack_size(96 * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
""")
    assert done.stdout == "done\n"


def test_unknown_ways_to_compute_are_refused():
    for name in ("avx9000", "", "AVX2"):
        with pytest.raises(ValueError, match="instruction_set must be one"):
            core.global_stats(np.ones((1, 2, 3)), instruction_set=name)
    with pytest.raises(ValueError, match=r"num_threads must be .*at least 1, got 0"):
        core.global_stats(np.ones((1, 2, 3)), num_threads=0)


def test_binding_checks_what_python_passes_on():
    binding = _native.core()
    x = np.ones((2, 5, 3), np.float32)
    arguments = binding.PoolingArguments(
        x, None, None, ["mean"], 0.0, "channels_last", "none", 1.0
    )
    good = np.empty((2, 3), np.float32)
    saved = np.empty((2, 2, 3), np.float32)
    binding.global_stats(good, saved, arguments, None, 1)
    for y in (good[:1], good.astype(np.float64), np.empty((3, 2), np.float32).T):
        with pytest.raises(ValueError, match="y must"):
            binding.global_stats(y, saved, arguments, None, 1)
    good.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        binding.global_stats(good, saved, arguments, None, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_of_the_other_byte_order_are_converted(dtype):
    """As readers of audio files return them."""
    case = Case(2, 9, 3, dtype, padding="lengths")
    arrays = case.x(), case.upstream(), case.lengths()
    x, upstream, lengths = (a.astype(a.dtype.newbyteorder()) for a in arrays)
    assert not x.dtype.isnative
    kernels = NumpyCore(core.instruction_sets()[0])
    values = kernels.forward(x, None, lengths, **case.options())
    np.testing.assert_array_equal(values, kernels.values_of(case))
    gradient = kernels.gradient(x, upstream, None, lengths, **case.options())
    np.testing.assert_array_equal(gradient, kernels.gradient_of(case))
