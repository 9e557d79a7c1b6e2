"""How fast the machine itself is, measured next to the calls that are compared with it.

The limits are contenders like the others: they take their turn in every round, and move
as many bytes as a call has to. A share of the limit is a quotient of two times from the
same seconds of the same process. A limit that is beaten is none, and fails the run.
"""

from typing import NamedTuple

import numpy as np

from benchmarks import cases, measure, memory_limits
from benchmarks.environment import last_level_cache_bytes
from benchmarks.measure import Runner, Samples, take_rounds

READ, COPY, EMPTY = "streaming read", "streaming copy", "empty call"
# Forward reads x. Backward reads it and writes as much, which a copy does. Both after
# each other take the sum.
_OF = {
    cases.FORWARD: (READ,),
    cases.BACKWARD: (COPY,),
    cases.FORWARD_BACKWARD: (READ, COPY),
}
BEATEN = 1.05  # the share of a limit that shows that it is none, noise allowed for
_TRIAL_SECONDS = 1.0  # to find the fastest loop


class Limit(NamedTuple):
    """Something of the machine to time: a read, a copy, or an empty call."""

    name: str
    runner: Runner
    bytes: int | None = None  # that it moves


def limit_of(mode: str, medians: dict[str, float]) -> tuple[str, float | None]:
    """The limit and the least time of a call, by the medians of the limits."""
    names = _OF.get(mode, ())
    if not names or any(name not in medians for name in names):
        return "", None
    return " + ".join(names), sum(medians[name] for name in names)


def is_memory_bound(cell: cases.Cell) -> bool:
    """Whether memory is the limit: input and gradient are larger than the caches."""
    exceeds_caches = 2 * cell.case.input_bytes >= last_level_cache_bytes()
    return exceeds_caches and cell.dispatch in ("graph", "core") and not cell.in_loop


class MemoryLimits:
    """The limits of a CPU's memory: of several loops the fastest, once per size."""

    def __init__(self):
        self._fastest = {}

    def limits(self, case: cases.Case, x: np.ndarray) -> list[Limit]:
        """Read and copy of x and its gradient alone, since the loops use x itself."""
        x = x.reshape(-1).view(np.uint8)
        read, copied = case.read_bytes, case.read_bytes + case.input_bytes
        reads = memory_limits.reads(x[:read])
        target = memory_limits.aligned(copied // 2)
        copies = memory_limits.copies(target, x[: copied // 2])
        return [self._limit(READ, reads, read), self._limit(COPY, copies, copied)]

    def _limit(self, name, loops, size) -> Limit:
        runners = [measure.calls(loop) for loop in loops]
        if (name, size) not in self._fastest:
            trials = [Samples(runner, 1) for runner in runners]
            take_rounds(trials, _TRIAL_SECONDS)
            medians = [np.median(samples.seconds) for samples in trials]
            self._fastest[name, size] = int(np.argmin(medians))
        return Limit(name, runners[self._fastest[name, size]], size)
