"""The bars of docs/cuda.md that need no model: instructions, bytes and launches.

Ceilings are a little above what tests/cuda_bars.py prints.
"""

import tempfile

import cuda_bars
import machine_code
import pytest

INSTRUCTIONS_BEFORE_X = {
    "forward float32": 170,
    "forward bfloat16": 170,
    "gradient float32": 170,
    "gradient bfloat16": 170,
}
OVER_THE_FLOOR = [0.01] * 4  # as cuda_bars.FORWARD_BYTES
# Of a warp for 512 bytes, as cuda_bars.INSTRUCTIONS.
INSTRUCTIONS = [60, 60, 88, 82, 260, 54, 92, 60, 90]


def test_instructions_before_the_first_load_of_x():
    with tempfile.TemporaryDirectory() as folder:
        try:
            machine_code.find_tool("cuobjdump")
        except machine_code.MissingToolError as error:
            pytest.skip(str(error))
        library = str(machine_code.LIBRARY)
        cubins = cuda_bars.cubins_of(library, None, folder)
        cubins = [cubin for cubin in cubins if cuda_bars.arch_of(cubin) == "90"]
        if not cubins:
            pytest.skip("this build has no kernels for sm_90")
        counts = {
            what: count
            for cubin in cubins
            for what, count in cuda_bars.instructions_before_x(cubin)
        }
    assert counts.keys() == INSTRUCTIONS_BEFORE_X.keys()
    above = {k: n for k, n in counts.items() if n > INSTRUCTIONS_BEFORE_X[k]}
    assert not above


@pytest.mark.parametrize(
    ("call", "most"), list(zip(cuda_bars.FORWARD_BYTES, OVER_THE_FLOOR, strict=True))
)
def test_bytes_over_the_floor(call, most):
    assert cuda_bars.bytes_over_floor(*call) <= most


@pytest.mark.parametrize(
    ("call", "most"), list(zip(cuda_bars.INSTRUCTIONS, INSTRUCTIONS, strict=True))
)
def test_instructions_for_512_bytes(emulated_cuda, call, most):
    assert cuda_bars.warp_instructions(emulated_cuda, *call) <= most


def test_launches(emulated_cuda):
    assert cuda_bars.launches(emulated_cuda, cuda_bars.UNSPLIT) == 1
    assert cuda_bars.launches(emulated_cuda, cuda_bars.SPLIT) == 2
    for shape in (cuda_bars.UNSPLIT, cuda_bars.SPLIT):
        assert cuda_bars.launches(emulated_cuda, shape, gradient=True) == 1
