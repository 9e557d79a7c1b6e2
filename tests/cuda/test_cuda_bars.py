"""No change makes calls of the CUDA kernels take more unseen."""

import pytest

from tests.programs import cuda_bars
from tests.support.native_build import UnavailableError

TOLERANCE = 0.02  # nothing but nvcc changes the counts of the same source
OVER_THE_FLOOR = 0.01


@pytest.fixture(name="accepted", scope="module")
def _accepted():
    try:
        return cuda_bars.ACCEPTED.counts(cuda_bars.compiler())
    except UnavailableError as reason:
        pytest.skip(str(reason))


def test_the_calls_that_are_counted_are_accepted(accepted):
    assert accepted.keys() == set(map(str, cuda_bars.CELLS))


@pytest.mark.parametrize("cell", cuda_bars.CELLS, ids=str)
def test_calls_take_the_instructions_that_were_accepted(emulated_cuda, accepted, cell):
    counts = cuda_bars.count(emulated_cuda, cell)
    cuda_bars.ACCEPTED.check(accepted[str(cell)], counts, TOLERANCE)


# Half of its series begin at no whole vector.
ODD = cuda_bars.Cell(cuda_bars.LONG, "bfloat16", "channels_first")


def test_a_smaller_call_stands_for_larger_ones(emulated_cuda):
    (batch, time, channels), multiprocessors = cuda_bars.smaller_call(ODD)
    assert multiprocessors < cuda_bars.MULTIPROCESSORS
    larger = (batch, time, 4 * channels), 4 * multiprocessors
    counts = cuda_bars.count(emulated_cuda, ODD)
    for name, of_larger in cuda_bars.count(emulated_cuda, ODD, larger).items():
        if "512 bytes" not in name:  # blocks that idle in part
            assert counts[name] == pytest.approx(of_larger, rel=0.01)


@pytest.mark.parametrize("call", cuda_bars.FORWARD_BYTES)
def test_bytes_over_the_floor(call):
    assert cuda_bars.bytes_over_floor(*call) <= OVER_THE_FLOOR


@pytest.mark.parametrize(("shape", "passes"), cuda_bars.LAUNCHES.items())
def test_launches(emulated_cuda, shape, passes):
    assert cuda_bars.launches(emulated_cuda, shape) == passes
