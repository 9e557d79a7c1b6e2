"""What is specific to the CUDA kernels: orders, architectures, races, and faults."""

import contextlib
import ctypes
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from statpool import numpy as core
from tests.programs import cuda_program
from tests.programs.cuda_program import results
from tests.support.cases import DTYPES, FORMATS, Case, numpy_dtype
from tests.support.cuda_launchers import Pooling
from tests.support.native_build import DEFAULT, ROOT

# Each branch that the source takes by architecture is taken by one of them, in an order
# of its own: all other tests run forwards.
ORDERS = {"75": "rev", "90": "rand7", "120": "rand11"}
EXTREMES = ("max", "min")


@pytest.fixture(scope="module")
def expected(emulated_cuda):
    return cuda_program.digests(emulated_cuda)


def run_program(*dtypes, **switches):
    """Runs the program with some of the emulator's switches."""
    return subprocess.run(
        [sys.executable, "-m", "tests.programs.cuda_program", *dtypes],
        cwd=ROOT,
        env={**os.environ, **{f"PTXSIM_{k}": v for k, v in switches.items()}},
        capture_output=True,
        check=False,
        text=True,
    )


def printed_by(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("architecture", ORDERS)
def test_same_bits_in_any_order_without_races(expected, architecture):
    order = {"ARCH": architecture, "ORDER": ORDERS[architecture]}
    found = printed_by(run_program(*DTYPES, **order, RACE="2", STRICT="1"))
    assert found == expected


# -------------------------------------------------------------- the C++ core as witness


def of_core(case, statistics):
    """The values and the gradient of a case, on the CPU."""
    padding, options = (case.mask(), case.lengths()), case.options(statistics)
    upstream = case.upstream(statistics)
    return (
        core.global_stats(case.x(), *padding, **options),
        core.global_stats_gradient(case.x(), upstream, *padding, **options),
    )


@pytest.mark.parametrize("architecture", ORDERS)
def test_mean_and_std_are_those_of_the_core(emulated_cuda, architecture):
    """Architectures differ in how they sum deviations, so not to the last bit."""
    dtypes = "float32", "bfloat16"
    found = iter(printed_by(run_program("--deviations", *dtypes, ARCH=architecture)))
    for dtype in dtypes:
        of_dtype = 2.0**-8 if dtype == "bfloat16" else 2.0**-19
        for case in cuda_program.deviation_cases(dtype):
            both = of_core(case, cuda_program.DEVIATIONS)
            for of_gpu, of_cpu in zip(next(found), both, strict=True):
                of_cpu = of_cpu.astype(float)
                most = of_dtype * np.abs(of_cpu).max()
                np.testing.assert_allclose(of_gpu, of_cpu, rtol=of_dtype, atol=most)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes_and_their_ties_are_those_of_the_core(cuda, dtype, data_format):
    """To the last bit; a tie count is the denominator of the gradient."""
    for size in [(3, 65, 17), (2, 33, 128), (1, 3000, 8)]:
        for padding in ("none", "both"):
            case = Case(*size, dtype, "ties", padding, data_format=data_format)
            both = zip(
                results(cuda, case, EXTREMES), of_core(case, EXTREMES), strict=True
            )
            for of_gpu, of_cpu in both:
                np.testing.assert_array_equal(of_gpu, of_cpu)


@pytest.mark.parametrize("dtype", DTYPES[:3])  # float64 has no wider type
def test_equal_steps_have_no_deviation(cuda, dtype):
    """Not even one of rounding, for any number of them, and no gradient."""
    for value in (0.1, 1000 / 3, -60000, 1e-6):
        x = np.full((40, 40, 3), value, numpy_dtype(dtype))
        upstream = np.tile([0, 0, 0, 1, 1, 1], (40, 1)).astype(x.dtype)
        options = {"statistics": ("mean", "std"), "epsilon": 0.0}
        with Pooling(cuda, x, None, np.arange(1, 41), **options) as pooling:
            mean, std = np.split(pooling.forward(), 2, axis=1)
            gradient = pooling.gradient(upstream)
        assert np.array_equal(mean, x[:, 0])
        assert not std.any()
        assert not gradient.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_unaligned_slices(cuda, dtype):
    """A slice that begins at any element gives the extremes of a copy of it."""
    case = Case(3, 40, 16, dtype, "ties", "both")
    size = case.x().itemsize
    first, *others = (
        [array.tobytes() for array in results(cuda, case, EXTREMES, offset=offset)]
        for offset in (0, size, 3 * size)
    )
    assert all(other == first for other in others)


# ------------------------------------------------------------------------- CUDA graphs


def test_a_graph_replays_a_call_with_lengths(cuda):
    """Lengths are in the graph itself, for any number of them, and nothing waits."""
    if cuda.is_emulated:
        pytest.skip("the emulator captures no graphs")
    for batch in (3, 1000):  # in one launch, and in several
        case = Case(batch, 40, 16, padding="lengths")
        names = ("mean", "max", "l2")
        upstream, options = case.upstream(names), case.options(names)
        with Pooling(cuda, case.x(), None, case.lengths(), **options) as pooling:
            expected = pooling.forward().copy(), pooling.gradient(upstream).copy()
            lengths = np.array(case.lengths(), np.int64)
            with captured(cuda) as (stream, replay):
                cuda.check(pooling.launch_lengths(lengths, stream))
                cuda.check(pooling.launch_forward(stream))
                cuda.check(pooling.launch_gradient(stream))
            lengths[:] = 0  # their owner may write over them
            for _ in range(2):
                for array in (pooling.y, pooling.dx):
                    array.fetch()[...] = np.nan
                    array.send()
                cuda.check(pooling.launch_lengths(lengths))
                replay()
                found = pooling.y.fetch(), pooling.dx.fetch()
                for one, other in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(one, other)


@contextlib.contextmanager
def captured(cuda):
    """A stream whose launches become a graph, and what runs that and waits."""

    def call(name, *arguments):
        cuda.check(getattr(cuda.runtime, f"cuda{name}")(*arguments))

    stream, graph, program = (ctypes.c_void_p() for _ in range(3))
    any_thread = 0  # cudaStreamCaptureModeGlobal: what waits breaks the capture
    call("StreamCreate", ctypes.byref(stream))
    call("StreamBeginCapture", stream, any_thread)

    def replay():
        call("GraphLaunch", program, stream)
        call("StreamSynchronize", stream)

    yield stream, replay
    call("StreamEndCapture", stream, ctypes.byref(graph))
    call("GraphInstantiate", ctypes.byref(program), graph, ctypes.c_ulonglong(0))


# ----------------------------------------------------------------------- planted faults


FAULTS = {
    "a removed barrier": (
        "cuda/forward/join.cuh",
        "    }\n    __syncthreads();\n  };",
        "    }\n  };",
        r"RACE|UNINITIALI[SZ]ED",
    ),
    "coefficients read before all are there": (
        "cuda/gradient/global_stats_gradient_kernels.cuh",
        "__syncthreads_and(are_moderate)",
        "are_moderate",
        r"RACE|UNINITIALI[SZ]ED",
    ),
    "a chunk taken before it is there": (
        "cuda/thread/dense_chunks.cuh",
        '"n"(kAhead - 1)',
        '"n"(kAhead)',
        r"before the cp.async to it was waited for",
    ),
    "results written over chunks that others still read": (
        "cuda/forward/global_stats_kernels.cuh",
        "      __syncthreads();  // others write over the thread's chunks\n",
        "",
        r"RACE",
    ),
    "a gradient one row too far": (
        "cuda/gradient/global_stats_gradient_kernels.cuh",
        "Store<kVector>(result, to);",
        "Store<kVector>(result, to + plan.stride);",
        r"OUT OF BOUNDS",
    ),
    "an unaligned vector": (
        "cuda/thread/vector_io.cuh",
        "reinterpret_cast<const uint4*>(from));",
        "reinterpret_cast<const uint4*>(from + 1));",
        r"MISALIGNED",
    ),
}


def compile_ptx(folder, file, change=None):
    """Compiles the float32 kernels, with another text in one of their headers."""
    text = (ROOT / file).read_text()
    if change:
        assert text.count(change[0]) == 1, change
        text = text.replace(*change)
    header = folder / file
    header.parent.mkdir(parents=True)
    header.write_text(text)
    cache = (DEFAULT / "CMakeCache.txt").read_text()
    nvcc = re.search(r"^CMAKE_CUDA_COMPILER:\w+=(.+)$", cache, re.MULTILINE)[1]
    flags = [
        "-std=c++17",
        "-O3",
        "-fmad=false",
        "--expt-relaxed-constexpr",
        "-lineinfo",
        "-ptx",
    ]
    # The changed header is found first.
    flags += ["-arch=compute_90", "-ptx", "-lineinfo", f"-I{folder}", f"-I{ROOT}"]
    ptx, source = folder / "faulty.ptx", ROOT / "cuda" / "kernels" / "float32.cu"
    subprocess.run([nvcc, *flags, "-o", ptx, source], check=True)
    return str(ptx)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(emulated_cuda, tmp_path, fault):
    file, *change, report = FAULTS[fault]
    done = run_program("float32", PTX=compile_ptx(tmp_path, file, change))
    assert done.returncode != 0
    assert re.search(report, done.stderr, re.IGNORECASE), done.stderr[-2000:]


def test_kernels_without_a_fault_pass_the_same_way(emulated_cuda, tmp_path):
    """What the faults are found in is compiled as it should be."""
    ptx = compile_ptx(tmp_path, "cuda/forward/join.cuh")
    found = printed_by(run_program("float32", PTX=ptx))
    assert found == cuda_program.digests(emulated_cuda, ["float32"])
