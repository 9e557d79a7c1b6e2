"""How calls reach an engine: many in one graph, or one by one from Python."""

from benchmarks import cases, environment
from benchmarks.measure import Runner

# From here on the dispatch of a call, some 0.1 ms, is nothing against the call itself.
_NOTHING_FROM = 8 << 20  # bytes of x


def in_loop(cell: cases.Cell) -> bool:
    """Whether the cell needs many calls in one graph to show the op alone."""
    large = cell.case.input_bytes >= _NOTHING_FROM
    return cell.dispatch == "graph" and not large


def python_calls(call, case: cases.Case, x, copy, wait) -> Runner:
    """Makes a runner that calls from Python.

    Args:
        call: Function of x.
        case: Says whether x is to be found in the caches.
        x: The input.
        copy: Copies x. Going through enough copies to flush the caches keeps them cold.
        wait: Waits for the calls to end.
    """
    copies = [x]
    if case.cache == "cold":
        size = case.input_bytes
        needed = 2 * environment.last_level_cache_bytes() // size + 1
        copies += [copy(x) for _ in range(needed)]
    turn = 0

    def run(calls):
        nonlocal turn
        for _ in range(calls):
            turn = (turn + 1) % len(copies)
            call(copies[turn])
        wait()

    return Runner(run)
