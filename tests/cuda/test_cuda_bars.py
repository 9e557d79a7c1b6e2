"""No change makes calls of the CUDA kernels take more instructions unseen."""

import pytest

from tests.programs import cuda_bars
from tests.support.native_build import UnavailableError

TOLERANCE = 0.02  # nothing but nvcc changes the counts of the same source


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


def test_a_smaller_call_stands_for_larger_ones(emulated_cuda):
    # Half of its series don't begin at a whole vector.
    odd = cuda_bars.Cell(cuda_bars.LONG, "bfloat16", "channels_first")
    (batch, time, channels), multiprocessors = cuda_bars.smaller_call(odd)
    assert multiprocessors < cuda_bars.MULTIPROCESSORS
    larger = (batch, time, 4 * channels), 4 * multiprocessors
    counts = cuda_bars.count(emulated_cuda, odd)
    for name, of_larger in cuda_bars.count(emulated_cuda, odd, larger).items():
        if "512 bytes" not in name:  # blocks that idle in part
            assert counts[name] == pytest.approx(of_larger, rel=0.01)
