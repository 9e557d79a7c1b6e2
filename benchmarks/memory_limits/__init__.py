"""Plain reads and copies of a CPU's memory, compiled on first use: loops.cc."""

import ctypes
import functools
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np

_LINE = 64  # bytes
_ROOT = Path(__file__).parents[2]
_READS, _COPIES = 4, 2  # loops that do the same
_FLAGS = "-std=c++17 -O3 -march=native -Wno-psabi -pthread -shared -fPIC"


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
            Path(__file__).with_name("loops.cc"),
        ]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            raise RuntimeError(f"memory_limits doesn't compile: {compiled.stderr}")
        library = ctypes.CDLL(str(path))
    library.ReadAll.restype = ctypes.c_uint64
    return library
