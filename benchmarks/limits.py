"""How fast the machine itself is, measured next to the calls that are compared with it.

The limits are contenders like the others: they take their turn in every round, and move
as many bytes as a call has to. A share of the limit is a quotient of two times from the
same seconds of the same process. A limit that is beaten is none, and fails the run.
Plain reads and copies of a CPU's memory are those of memory.cc, compiled on first use.
"""

import ctypes
import functools
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import cases, measure
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
_LINE = 64  # bytes
_ROOT = Path(__file__).parents[1]
_READS, _COPIES = 4, 2  # loops that do the same
_FLAGS = "-std=c++17 -O3 -march=native -Wno-psabi -pthread -shared -fPIC"


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
        reading = reads(x[:read])
        target = aligned(copied // 2)
        copying = copies(target, x[: copied // 2])
        return [self._limit(READ, reading, read), self._limit(COPY, copying, copied)]

    def _limit(self, name, loops, size) -> Limit:
        runners = [measure.calls(loop) for loop in loops]
        if (name, size) not in self._fastest:
            trials = [Samples(runner, 1) for runner in runners]
            take_rounds(trials, _TRIAL_SECONDS)
            medians = [np.median(samples.seconds) for samples in trials]
            self._fastest[name, size] = int(np.argmin(medians))
        return Limit(name, runners[self._fastest[name, size]], size)


def reads(source: np.ndarray) -> list:
    """Functions that read the array once, on all cores, and return a sum of it."""
    return _on_all_cores(_library().ReadAll, _READS, source)


def copies(target: np.ndarray, source: np.ndarray) -> list:
    """Functions that copy to an array of `aligned`, with stores around the caches."""
    if target.nbytes < source.nbytes or target.ctypes.data % _LINE:
        raise ValueError("target must be as large as source, and 64-byte aligned")
    copy = functools.partial(_library().CopyAll, ctypes.c_void_p(target.ctypes.data))
    return _on_all_cores(copy, _COPIES, source, target)


def aligned(size: int) -> np.ndarray:
    """Bytes of whole lines, all touched, so that no page is missing later."""
    whole = np.ones(size + _LINE, np.uint8)
    first = -whole.ctypes.data % _LINE
    return whole[first : first + size]


def _on_all_cores(call, loops, *arrays) -> list:
    pointer = ctypes.c_void_p(arrays[0].ctypes.data)
    size, threads = ctypes.c_int64(arrays[0].nbytes), len(os.sched_getaffinity(0))

    def run(loop, _kept_alive=arrays):
        return call(pointer, size, loop, threads)

    return [functools.partial(run, loop) for loop in range(loops)]


@functools.cache
def _library():
    """Compiles the loops for this processor, by $CXX or c++, and loads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loops.so"
        command = [
            *(*shlex.split(os.environ.get("CXX", "c++")), *_FLAGS.split()),
            *(f"-I{_ROOT}", "-DSTATPOOL_ISA=native", "-o", path),
            Path(__file__).with_name("memory.cc"),
        ]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            raise RuntimeError(f"memory.cc doesn't compile: {compiled.stderr}")
        library = ctypes.CDLL(str(path))
    library.ReadAll.restype = ctypes.c_uint64
    return library
