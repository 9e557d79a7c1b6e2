"""What the CUDA kernels move, counted by the emulator: every byte once.

Counts are per thread, so that a broadcast of one mask byte counts for each lane.
"""

import dataclasses

import numpy as np
import pytest

import statpool
from tests.programs.cuda_program import DEFAULT, SPLIT
from tests.support.cases import DTYPES, FORMATS, Case
from tests.support.cuda_launchers import Pooling

# [B, T, C]: rows of whole vectors, folded rows, tiles with an edge, a thread's single
# row, several units in a block, and time that is split.
# At T = 67, vectors of channels_first lie across two series.
SHAPES = [(2, 64, 128), (3, 40, 20), (2, 24, 264), (1, 3, 64), (40, 16, 8), (2, 67, 3)]


@dataclasses.dataclass
class Traffic:
    """What the launches of one call did to x and dx."""

    launches: list
    x: dict
    dx: dict | None


def measure(cuda, case, statistics=DEFAULT, gradient=False, **options):
    """Runs one pass and returns its traffic."""
    options |= case.options(statistics)
    with Pooling(cuda, case.x(), case.mask(), case.lengths(), **options) as pooling:
        if gradient:
            pooling.forward()
        cuda.reset_counts()
        if gradient:
            pooling.gradient(case.upstream(statistics))
        else:
            pooling.forward()
        launches = cuda.counts()
        pointers = pooling.x.pointer.value, gradient and pooling.dx.pointer.value
    return Traffic(launches, *(_allocation(launches[0], at) for at in pointers))


def _allocation(launch, pointer):
    """What a launch did to the allocation that holds an address."""
    for allocation in launch["allocations"]:
        if 0 <= pointer - allocation["base"] < allocation["size"]:
            return allocation
    return None


def assert_all_once(counts, what):
    """Every byte of an allocation was loaded, or stored, exactly once."""
    assert counts[f"bytes_{what}"] == counts[f"distinct_bytes_{what}"] == counts["size"]


def vector_sites(launches, access):
    """The instructions that move 16 bytes of global memory for a thread."""
    wanted = {"space": "global", "access": access, "width": 16}
    sites = [site for launch in launches for site in launch["instructions"]]
    return [site for site in sites if wanted.items() <= site.items()]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_byte_is_loaded_and_stored_once(emulated_cuda, dtype, data_format):
    for shape in [*SHAPES, SPLIT[data_format]]:
        case = Case(*shape, dtype, data_format=data_format)
        forward = measure(emulated_cuda, case)
        assert_all_once(forward.x, "loaded")
        assert forward.x["bytes_stored"] == 0
        assert len(forward.launches) == 1 + (shape in SPLIT.values()), case
        gradient = measure(emulated_cuda, case, gradient=True)
        assert_all_once(gradient.x, "loaded")
        assert_all_once(gradient.dx, "stored")
        assert gradient.dx["bytes_loaded"] == 0
        assert len(gradient.launches) == 1


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("padding", ["mask", "lengths", "both"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_steps_are_not_loaded(emulated_cuda, dtype, padding, data_format):
    for shape in [(3, 40, 20), (2, 24, 264), (1, 1600, 64), (3, 67, 2)]:
        case = Case(*shape, dtype, padding=padding, data_format=data_format)
        for gradient in (False, True):
            valid = bytes_of_valid_vectors(case, gradient)
            traffic = measure(emulated_cuda, case, gradient=gradient)
            assert traffic.x["bytes_loaded"] == valid
            assert traffic.x["distinct_bytes_loaded"] == valid
        assert_all_once(traffic.dx, "stored")


def bytes_of_valid_vectors(case, gradient):
    """Of the vectors that hold a step that counts: steps may share one.

    Of those that lie across two series of channels_first, only the steps that count.
    """
    plans = statpool.launch_plan(
        case.x().shape, case.dtype, data_format=case.data_format
    )
    vector = plans["gradient" if gradient else "forward"]["vector_width"]
    valid = np.expand_dims(case.valid(), 2 if case.data_format == FORMATS[0] else 1)
    valid = np.broadcast_to(valid, case.x().shape).reshape(-1)
    valid = np.pad(valid, (0, -valid.size % vector)).reshape(-1, vector)
    loaded = np.where(valid.any(1), vector, 0)
    if case.data_format == "channels_first":
        series = np.arange(valid.size).reshape(valid.shape) // case.time
        across = series[:, 0] != series[:, -1]
        across[-1] |= case.x().size % vector != 0
        loaded = np.where(across, valid.sum(1), loaded)
    return int(loaded.sum()) * case.x().itemsize


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_vectors_use_whole_sectors(emulated_cuda, dtype, data_format):
    """32 lanes of 16 bytes are 16 sectors, where slabs begin at one."""
    for shape in [(2, 64, 128), (3, 48, 32), (1, 1600, 64)]:
        case = Case(*shape, dtype, data_format=data_format)
        for gradient in (False, True):
            traffic = measure(emulated_cuda, case, gradient=gradient)
            for access in ("load", "store") if gradient else ("load",):
                sites = vector_sites(traffic.launches, access)
                assert sum(site["bytes"] for site in sites) == traffic.x["size"]
                for site in sites:
                    assert site["sectors"] * 32 == site["bytes"], site


@pytest.mark.parametrize("dtype", DTYPES)
def test_shared_memory_has_no_bank_conflicts(emulated_cuda, dtype):
    """A request of 32 lanes takes a pass for each 4 bytes of a lane's access."""
    case = Case(2, 64, 128, dtype)
    for launch in measure(emulated_cuda, case).launches:
        sites = [s for s in launch["instructions"] if s["space"] == "shared"]
        assert sites
        for site in sites:
            assert site["passes_per_request"] <= site["width"] / 4, site


def test_an_unaligned_slice_is_loaded_once_too(emulated_cuda):
    for dtype in DTYPES:
        case = Case(2, 40, 16, dtype)
        size = case.x().itemsize
        for gradient in (False, True):
            traffic = measure(emulated_cuda, case, gradient=gradient, offset=size)
            assert traffic.x["bytes_loaded"] == case.x().nbytes
            assert traffic.x["max_loads_per_byte"] == 1
            assert not vector_sites(traffic.launches, "load")


def test_gradient_of_the_mean_alone_loads_no_x(emulated_cuda):
    traffic = measure(emulated_cuda, Case(2, 40, 16), ("mean",), gradient=True)
    assert traffic.x is None or traffic.x["bytes_loaded"] == 0
    assert_all_once(traffic.dx, "stored")


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 3, 0)])
def test_nothing_is_launched_for_an_empty_output(emulated_cuda, shape):
    x = np.zeros(shape, np.float32)
    with Pooling(emulated_cuda, x) as pooling:
        emulated_cuda.reset_counts()
        y = pooling.forward()
        pooling.gradient(np.zeros_like(y))
        assert emulated_cuda.counts() == []
