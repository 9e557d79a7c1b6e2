"""The C++ core as an engine: kernels on NumPy arrays, into existing buffers."""

import functools
import os

import numpy as np

from benchmarks import cases, measure
from benchmarks.engines import Engine
from benchmarks.providers import Provider

PROVIDERS = (
    Provider("statpool core", engine="core", ours=True),
    Provider("statpool core 1 thread", engine="core", threads=1, ours=True),
)


def create(device: str) -> "CoreEngine":
    """Creates the engine."""
    if device != "cpu":
        raise RuntimeError("the NumPy binding runs on the CPU only")
    return CoreEngine()


class CoreEngine(Engine):
    """Calls the kernels with nothing around them."""

    def __init__(self):
        from statpool import _native

        self._core = _native.core()

    def handles(self, provider, cell):
        """Takes the cells of the core."""
        return cell.dispatch == "core"

    def place(self, arrays):
        """NumPy arrays are at home here."""
        return arrays

    def outputs(self, provider, mode, case, placed):
        """Runs once."""
        forward, backward, y, dx = self._call(provider, case, placed)
        forward()
        if mode == cases.FORWARD:
            return [y]
        backward()
        return [y, dx]

    def runner(self, provider, cell, placed):
        """Calls the kernel again and again."""
        forward, backward, *_ = self._call(provider, cell.case, placed)
        forward()  # keeps what the backward kernel needs of it
        is_backward = cell.mode == cases.BACKWARD
        return measure.calls(backward if is_backward else forward)

    def _call(self, provider, case, placed):
        """Both kernels as functions without arguments, and their results."""
        core = self._core
        planes = core.saved_plane_count(cases.STATISTICS)
        wide = np.float64 if case.dtype == "float64" else np.float32
        saved = np.empty((case.batch, planes, case.channels), wide)
        y, dx = np.empty_like(placed.upstream), np.zeros_like(placed.x)
        options = cases.STATISTICS, cases.EPSILON, case.layout, "none", 1.0
        arguments = core.PoolingArguments(placed.x, placed.mask, None, *options)
        how = None, provider.threads or len(os.sched_getaffinity(0))
        forward = y, saved, arguments, *how
        backward = dx, placed.upstream, saved, arguments, *how
        pool = functools.partial(core.global_stats, *forward)
        differentiate = functools.partial(core.global_stats_gradient, *backward)
        return pool, differentiate, y, dx
