"""Counts the instructions that calls of the CUDA kernels take.

    python -m tests.programs.cuda_bars            # prints them
    python -m tests.programs.cuda_bars --accept   # writes cuda_bars.json again

No GPU is needed. The emulator counts the instructions of whole calls with the plan of
an H100, each at a smaller size at which a block does the same; tools/ptxsim/README.md
says what the longest path of a block is. tests/cuda/test_cuda_bars.py compares new
counts with the file. Takes a minute or two, on one core.
"""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np

import statpool
from tests.support import cuda_launchers
from tests.support.accepted_counts import Accepted, name_of
from tests.support.cases import FORMATS, Case
from tests.support.native_build import UnavailableError

ACCEPTED = Accepted(
    Path(__file__).with_suffix(".json"), "python -m tests.programs.cuda_bars --accept"
)
MULTIPROCESSORS = 132  # of an H100
DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A call; `shape` is `[B, T, C]`, `masked` the share of steps that are masked."""

    shape: tuple[int, int, int]
    dtype: str
    data_format: str
    statistics: tuple[str, ...] = ("mean", "max", "l2")
    masked: float = 0
    input_activation: str | None = None

    def __str__(self):
        padding = [f"{self.masked:.0%} masked"] if self.masked else []
        activation = [self.input_activation] if self.input_activation else []
        names = self.dtype, self.data_format, self.statistics
        return name_of(self.shape, *names, *padding, *activation)


LARGE, LONG, SPLIT = (64, 1500, 512), (16, 2580, 128), (1, 100_000, 64)
LAST, FIRST = FORMATS
BOTH = [(data_format, dtype) for data_format in FORMATS for dtype in DTYPES]
CELLS = [
    Cell(shape, dtype, data_format)
    for shape in (LARGE, LONG, (256, 16, 2048), (4096, 50, 64))
    for data_format, dtype in BOTH
]
CELLS += [
    Cell((64, 1504, 512), "bfloat16", FIRST),  # of whole vectors
    Cell(SPLIT, "float32", LAST),  # not all of them: the emulator takes long
    Cell(SPLIT, "bfloat16", FIRST),
]
CELLS += [
    Cell(LARGE, dtype, LAST, input_activation=name)
    for name in ("relu", "leaky_relu")
    for dtype in DTYPES
]
for other in ({"statistics": ("mean", "std")}, {"masked": 0.25}):
    CELLS += [Cell(LARGE, dtype, LAST, **other) for dtype in DTYPES]
    CELLS += [Cell(LONG, dtype, data_format, **other) for data_format, dtype in BOTH]

# What of a plan grows with the number of multiprocessors while blocks do the same.
_SIZES = {"grid", "blocks", "slabs", "units", "bytes_read", "bytes_written"}


def compiler() -> str:
    """Returns the nvcc that counts depend on.

    Raises:
      UnavailableError: if this build has no CUDA kernels.
    """
    version = statpool.build_info()["cuda"]
    if version is None:
        raise UnavailableError("this build has no CUDA kernels")
    return f"nvcc {'.'.join(version.split('.')[:2])}"


def count(cuda, cell, smaller=None) -> dict[str, float]:
    """Returns what a forward and a gradient pass of a call take, by name.

    It is counted at `smaller`, or at what `smaller_call` returns.

    For each pass: the instructions on the longest path of a block, those that repeat
    and those that run once; all of a second launch; those of all warps for 512 bytes of
    x.
    """
    shape, multiprocessors = smaller or smaller_call(cell)
    case = Case(
        *(*shape, cell.dtype),
        data_format=cell.data_format,
        input_activation=cell.input_activation,
    )
    x, mask = case.x(), None
    if cell.masked:
        mask = np.random.default_rng(0).random(shape[:2]) >= cell.masked
    options = {**case.options(cell.statistics), "multiprocessors": multiprocessors}
    counts = {}
    with cuda_launchers.Pooling(cuda, x, mask, **options) as pooling:
        for name in ("forward", "gradient"):
            cuda.reset_counts()
            if name == "forward":
                pooling.forward()
            else:
                pooling.gradient(case.upstream(cell.statistics))
            first, *others = launches = cuda.counts()
            counts[f"{name}, repeating"] = round(first["path_repeating"])
            counts[f"{name}, once"] = round(first["path_once"])
            executed = sum(launch["thread_instructions"] for launch in launches) / 32
            counts[f"{name}, for 512 bytes"] = round(executed / (x.nbytes / 512), 1)
            for launch in others:
                counts[f"{name}, second launch"] = round(sum(launch["longest_path"]))
    return counts


def smaller_call(cell):
    """Returns a call [B, T, C] and so many multiprocessors that blocks do the same."""
    batch, time, channels = cell.shape
    wanted = _work(cell, cell.shape, MULTIPROCESSORS)
    # In channels_first by sixteens, as in the calls here: where vectors begin is not in
    # a plan.
    is_last = cell.data_format == LAST
    units = batch if is_last else batch * channels // 16
    for multiprocessors in range(1, MULTIPROCESSORS):
        fair = units * multiprocessors // MULTIPROCESSORS
        for part in range(max(1, fair), fair + 3):
            smaller = (part, time, channels) if is_last else (1, time, 16 * part)
            if _work(cell, smaller, multiprocessors) == wanted:
                return smaller, multiprocessors
    return cell.shape, MULTIPROCESSORS


def _work(cell, shape, multiprocessors):
    """What the plans of a call give to a block."""
    batch, time, channels = shape
    if cell.data_format == "channels_first":
        shape = batch, channels, time
    plan = statpool.launch_plan(
        shape,
        cell.dtype,
        statistics=cell.statistics,
        data_format=cell.data_format,
        multiprocessors=multiprocessors,
    )
    launches = [plan[name] for name in ("forward", "gradient", "join") if plan[name]]
    return [
        {name: of for name, of in launch.items() if name not in _SIZES}
        | {"in turn": -(-launch["blocks"] // launch["grid"])}
        for launch in launches
    ]


def main() -> None:
    """Prints the counts; accepts them if asked to."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU doesn't count
    cuda = cuda_launchers.load()
    counts = {}
    for cell in CELLS:
        counts[str(cell)] = count(cuda, cell)
        print(cell, counts[str(cell)], flush=True)
    if sys.argv[1:] == ["--accept"]:
        ACCEPTED.write(compiler(), counts)


if __name__ == "__main__":
    main()
