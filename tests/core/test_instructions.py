"""No change makes the CPU kernels execute more instructions unseen."""

import pytest

from tests.programs import instructions
from tests.support.native_build import UnavailableError

TOLERANCE = 0.05  # what another minor version of the compiler may change


@pytest.mark.parametrize("instruction_set", instructions.INSTRUCTION_SETS)
def test_calls_take_the_instructions_that_were_accepted(instruction_set):
    try:
        instructions.check(instruction_set, TOLERANCE)
    except UnavailableError as reason:
        pytest.skip(str(reason))
