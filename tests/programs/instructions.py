"""Counts the instructions that calls of the CPU kernels take.

On a shared machine times are noise; these counts repeat. valgrind counts, in the core
program, what a call executes on one thread, the start of the program left out. It has
no AVX-512. `instructions.json` says for each compiler what the counts should be: by
call and instruction set, those of the forward and of the gradient pass.
`make accept-instructions` writes them again for the compiler at hand.
"""

import platform
import re
import shutil
import tempfile
from pathlib import Path

from tests.support.accepted_counts import Accepted, name_of
from tests.support.cases import FORMATS, Case
from tests.support.core_program import CoreProgram
from tests.support.native_build import DEFAULT, UnavailableError, folder

ACCEPTED = Accepted(Path(__file__).with_suffix(".json"), "make accept-instructions")
INSTRUCTION_SETS = ("x86-64", "avx2")
TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)

SHORT = (16, 1, 128)  # finishing channels is all of the work
ODD = (7, 333, 33)  # channels_first are transposed
LONG = (1, 4000, 33)  # split in time, so that splits are joined
TINY = [
    (1024, 1, 1),
    (1024, 20, 1),
    (1024, 3, 4),
]  # many tiny examples, which are packed

# (B, T, C), dtype, data_format, statistics, masked
CELLS = [
    (shape, dtype, data_format, statistics, False)
    for shape, formats in ((SHORT, FORMATS[:1]), (LONG, FORMATS))
    for dtype in ("float32", "bfloat16", "float64")
    for data_format in formats
    for statistics in (("mean", "max", "l2"), ("mean", "std"))
]
CELLS += [
    (shape, "float32", data_format, ("mean", "max", "l2"), False)
    for shape in TINY
    for data_format in FORMATS[: shape[1]]
]
CELLS += [
    (ODD, "float32", data_format, ("mean", "max", "l2"), masked)
    for data_format in FORMATS
    for masked in (False, True)
]


def compiler() -> str:
    """Returns the compiler and its major version, and for what: counts depend on it."""
    from statpool import _native

    name = re.match(r"\D+\d+", _native.core().build_info()["compiler"])[0]
    return f"{name} for {platform.machine()}"


def check(instruction_set, tolerance) -> None:
    """Asserts that calls take the instructions that were accepted.

    Raises:
      UnavailableError: if nothing was for this compiler, or nothing can be counted.
    """
    accepted = ACCEPTED.counts(compiler())
    expected = {call: row[instruction_set] for call, row in accepted.items()}
    counts = count(instruction_set)
    ACCEPTED.check(_by_pass(expected), _by_pass(counts), tolerance)


def count(instruction_set) -> dict[str, list[int]]:
    """Returns the instructions of a call's forward and gradient pass, for each call.

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
        # In order; the file without a number is what came after all calls.
        paths = Path(dumps).glob("counts.*")
        files = sorted(paths, key=lambda path: int(path.suffix[1:]))
        totals = [TOTAL.search(path.read_text())[1] for path in files]
    rows = zip(*[iter(map(int, totals))] * 4, strict=True)
    names = (name_of(*cell[:4], *["masked"] * cell[4]) for cell in CELLS)
    return {name: row[2:] for name, row in zip(names, rows, strict=True)}


def _by_pass(counts) -> dict[str, int]:
    passes = ("forward", "gradient")
    return {f"{c}, {p}": counts[c][i] for c in counts for i, p in enumerate(passes)}


def _valgrind(dumps) -> list[str]:
    """How to count: one file for each call of a pass, of the pass alone."""
    passes = "statpool::cpu::GlobalStats*"
    return [
        "env", "LD_BIND_NOW=1",  # no call looks for a function
        "valgrind", "--quiet", "--tool=callgrind",
        f"--callgrind-out-file={dumps}/counts",
        f"--toggle-collect={passes}",
        f"--dump-after=*{passes}",  # of two options for the same name it heeds one
    ]  # fmt: skip


def _call(program, shape, dtype, data_format, statistics, masked) -> None:
    padding = "mask" if masked else "none"
    case = Case(*shape, dtype, padding=padding, data_format=data_format)
    arrays = case.x(), case.mask(), None, case.upstream(statistics)
    program.run(*arrays, num_threads=1, **case.options(statistics))


if __name__ == "__main__":
    found = {name: count(name) for name in INSTRUCTION_SETS}
    calls = {
        call: {name: counts[call] for name, counts in found.items()}
        for call in found[INSTRUCTION_SETS[0]]
    }
    ACCEPTED.write(compiler(), calls)
