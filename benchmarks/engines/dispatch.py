"""How calls reach an engine: many in one graph, or one by one from Python."""

from benchmarks import cases
from benchmarks.measure import Runner

# From here on the dispatch of a call, some 0.1 ms, is nothing against the call itself.
_DISPATCH_IS_NEGLIGIBLE_FROM = 8 << 20  # bytes of x


def in_loop(cell: cases.Cell) -> bool:
    """Whether the cell needs many calls in one graph to show the op alone."""
    small = cell.case.input_bytes < _DISPATCH_IS_NEGLIGIBLE_FROM
    return cell.dispatch == "graph" and small


def python_calls(call, wait=lambda: None) -> Runner:
    """Makes a runner that calls from Python, and then waits for the calls to end."""

    def run(calls):
        for _ in range(calls):
            call()
        wait()

    return Runner(run)
