"""No change makes the CPU kernels execute more instructions unseen."""

import pytest

from tests.programs import instructions
from tests.support.native_build import UnavailableError

TOLERANCE = 0.05  # what another minor version of the compiler may change


@pytest.mark.parametrize("shape", instructions.TINY)
def test_a_tiny_example_costs_little_beside_its_elements(shape):
    """A unit of its own took it 600 instructions and more in each pass."""
    examples, time, channels = shape
    try:
        accepted = instructions.ACCEPTED.counts(instructions.compiler())
    except UnavailableError as reason:
        pytest.skip(str(reason))
    calls = [
        row
        for call, row in accepted.items()
        if call.startswith(f"{examples}x{time}x{channels} ")
    ]
    assert calls
    for row in calls:
        assert max(row["avx2"]) <= examples * channels * (90 + 6 * time)


@pytest.mark.parametrize("instruction_set", instructions.INSTRUCTION_SETS)
def test_calls_take_the_instructions_that_were_accepted(instruction_set):
    try:
        instructions.check(instruction_set, TOLERANCE)
    except UnavailableError as reason:
        pytest.skip(str(reason))
