"""Counts the instructions that calls of the CPU kernels take.

On a shared machine times are noise; these counts repeat. valgrind counts, in the core
program, what a call executes on one thread, the start of the program left out. It has
no AVX-512. What the counts should be is `instructions.json`, for each compiler;
`make accept-instructions` writes it anew for the one at hand.
"""

import platform
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.support.accepted_counts import Accepted, name_of
from tests.support.cases import numpy_dtype
from tests.support.core_program import CoreProgram
from tests.support.native_build import DEFAULT, UnavailableError, folder

ACCEPTED = Accepted(Path(__file__).with_suffix(".json"), "make accept-instructions")
INSTRUCTION_SETS = ("x86-64", "avx2")

SHORT = (16, 1, 128)  # finishing channels is all of the work
ODD = (7, 333, 33)  # channels_first are transposed
LONG = (1, 4000, 33)  # split in time, so that splits are joined

# (B, T, C), dtype, data_format, statistics, masked
CELLS = tuple(
    (shape, dtype, data_format, statistics, False)
    for shape in (SHORT, LONG)
    for dtype in ("float32", "bfloat16", "float64")
    for data_format in ("channels_last", "channels_first")
    for statistics in (("mean", "max", "l2"), ("mean", "std"))
) + tuple(
    (ODD, "float32", data_format, ("mean", "max", "l2"), masked)
    for data_format in ("channels_last", "channels_first")
    for masked in (False, True)
)


def compiler() -> str:
    """Returns the compiler and its major version, and for what: counts depend on it."""
    from statpool import _native

    name = re.match(r"\D+\d+", _native.core().build_info()["compiler"])[0]
    return f"{name} for {platform.machine()}"


def accepted(instruction_set) -> dict[str, int]:
    """Returns the counts to expect.

    Raises:
      UnavailableError: if there are none for this compiler.
    """
    return ACCEPTED.counts(compiler())[instruction_set]


def count(instruction_set) -> dict[str, int]:
    """Returns the instructions of a forward and a gradient pass for each cell.

    Raises:
      UnavailableError: if they can't be counted here.
    """
    from statpool import numpy

    if shutil.which("valgrind") is None:
        raise UnavailableError("instructions are counted by valgrind: `make packages`")
    if folder() != DEFAULT:
        raise UnavailableError("instructions are counted in the build of `make build`")
    if instruction_set not in numpy.instruction_sets():
        raise UnavailableError(f"this processor has no {instruction_set}")
    with tempfile.TemporaryDirectory() as dumps:
        program = CoreProgram(instruction_set, under=_valgrind(dumps))
        for cell in CELLS:
            for _ in range(2):  # the first call may set something up
                _call(program, *cell)
        program.close()
        totals = [_total(path) for path in _in_order(dumps)]
    counts = {}
    for cell, (*_, forward, gradient) in zip(
        CELLS, zip(*[iter(totals)] * 4, strict=True), strict=True
    ):
        counts[f"{_name(*cell)}, forward"] = forward
        counts[f"{_name(*cell)}, gradient"] = gradient
    return counts


def _valgrind(dumps) -> list[str]:
    """How to count: one file for each call of a pass, of the pass alone."""
    passes = "statpool::cpu::GlobalStats*"
    return [
        "env",
        "LD_BIND_NOW=1",  # no call looks for a function
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        f"--callgrind-out-file={dumps}/counts",
        f"--toggle-collect={passes}",
        f"--dump-after=*{passes}",  # of two options for the same name it heeds one
    ]


def _call(program, shape, dtype, data_format, statistics, masked) -> None:
    generator = np.random.default_rng(0)
    batch, time, channels = shape
    x = generator.standard_normal(shape).astype(numpy_dtype(dtype))
    upstream = generator.standard_normal((batch, len(statistics) * channels))
    program.run(
        x if data_format == "channels_last" else x.transpose(0, 2, 1),
        mask=generator.random((batch, time)) < 0.7 if masked else None,
        upstream=upstream.astype(x.dtype),
        num_threads=1,
        statistics=statistics,
        data_format=data_format,
    )


def _name(shape, dtype, data_format, statistics, masked) -> str:
    return name_of(shape, dtype, data_format, statistics, *["masked"] * masked)


def _in_order(dumps) -> list[Path]:
    """The files of all calls; the one without a number is what came after them."""
    return sorted(Path(dumps).glob("counts.*"), key=lambda path: int(path.suffix[1:]))


def _total(path) -> int:
    return int(re.search(r"^totals: (\d+)$", path.read_text(), re.MULTILINE)[1])


if __name__ == "__main__":
    ACCEPTED.write(compiler(), {name: count(name) for name in INSTRUCTION_SETS})
