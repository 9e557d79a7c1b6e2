"""How many bytes a call has to move, written down once.

The least that any implementation could move: steps that a mask leaves out are not read,
intermediate results cost nothing. So GB/s are comparable between implementations, and
none can exceed the memory's own speed.
"""

from benchmarks import cases


def input_bytes(case: cases.Case) -> int:
    """All of x, and all of its gradient."""
    return case.batch * case.time * case.channels * cases.ITEM_SIZE[case.dtype]


def read_bytes(case: cases.Case) -> int:
    """The steps of x that count."""
    steps = case.batch * case.kept_steps
    return steps * case.channels * cases.ITEM_SIZE[case.dtype]


def output_bytes(case: cases.Case) -> int:
    """The statistics y, and as many for the upstream gradient."""
    columns = case.batch * case.channels
    return columns * len(cases.STATISTICS) * cases.ITEM_SIZE[case.dtype]


def mask_bytes(case: cases.Case) -> int:
    """One byte per step where there is a mask."""
    return case.batch * case.time if case.masked else 0


def moved_bytes(mode: str, case: cases.Case) -> int:
    """Bytes that a call has to move; 0 for a training step, which does other work too.

    forward: x and mask read, y written. backward: x, mask and the upstream gradient
    read, the gradient of x written. forward+backward: the sum of both.
    """
    read = read_bytes(case) + mask_bytes(case) + output_bytes(case)
    if mode == cases.FORWARD:
        return read
    if mode == cases.BACKWARD:
        return read + input_bytes(case)
    if mode == cases.FORWARD_BACKWARD:
        return 2 * read + input_bytes(case)
    return 0
