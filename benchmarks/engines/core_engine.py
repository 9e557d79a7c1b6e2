"""The C++ core as an engine: kernels on NumPy arrays, into existing buffers."""

import numpy as np

from benchmarks import cases
from benchmarks.measure import Runner
from benchmarks.providers import Provider


def create(device: str) -> "CoreEngine":
    """Creates the engine."""
    if device != "cpu":
        raise RuntimeError("the NumPy binding runs on the CPU only")
    return CoreEngine()


class CoreEngine:
    """Calls the kernels with nothing around them."""

    def __init__(self):
        from statpool import _native

        self._core = _native.core()

    def handles(self, cell: cases.Cell) -> bool:
        """Takes the cells of the core."""
        return cell.dispatch == "core"

    def place(self, arrays: cases.Inputs) -> cases.Inputs:
        """NumPy arrays are at home here."""
        return arrays

    def outputs(self, provider, mode, case, placed) -> list[np.ndarray]:
        """Runs once."""
        call = _Call(self._core, provider, case, placed)
        call.forward()
        if mode == cases.FORWARD:
            return [call.y]
        call.backward()
        return [call.y, call.dx]

    def runner(self, provider, cell: cases.Cell, placed) -> Runner:
        """Calls the kernel again and again."""
        call = _Call(self._core, provider, cell.case, placed)
        call.forward()  # What the backward kernel needs of it is kept.
        once = call.backward if cell.mode == cases.BACKWARD else call.forward

        def run(batches):
            for _ in range(batches):
                once()

        return Runner(run)


class _Call:
    """Arguments and buffers of the kernels."""

    def __init__(self, core, provider: Provider, case: cases.Case, placed):
        batch, outputs = placed.upstream.shape
        planes = core.saved_plane_count(cases.STATISTICS)
        wide = np.float64 if case.dtype == "float64" else np.float32
        self._core = core
        self._upstream = placed.upstream
        self._saved = np.empty((batch, planes, case.channels), wide)
        self._arguments = core.PoolingArguments(
            placed.x, placed.mask, None, cases.STATISTICS, cases.EPSILON, case.layout
        )
        self._how = (None, provider.threads or _all_cores())
        self.y = np.empty((batch, outputs), placed.x.dtype)
        self.dx = np.zeros_like(placed.x)

    def forward(self):
        self._core.global_stats(self.y, self._saved, self._arguments, *self._how)

    def backward(self):
        self._core.global_stats_gradient(
            self.dx, self._upstream, self._saved, self._arguments, *self._how
        )


def _all_cores() -> int:
    import os

    return len(os.sched_getaffinity(0))
