"""The command line of the benchmarks: `python -m benchmarks.run --help`.

Measuring needs NumPy, ml_dtypes and the libraries of the engines that are asked for;
the report needs pandas, tabulate and matplotlib too.
"""

import argparse
import contextlib
import importlib.util
import os
import re
import sys
from pathlib import Path

# TensorFlow reads it when it is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks import environment, grid, results
from benchmarks.providers import ENGINES, providers_of
from benchmarks.session import Session
from tests.support import cuda_launchers, memory

_CELLS = {"full": grid.full, "quick": grid.quick, "tiny": grid.tiny}
_BUDGETS = {"full": 3.0, "quick": 1.0, "tiny": 0.1}  # seconds
_FOR_REPORTS = ("pandas", "tabulate", "matplotlib")
_HELP = {
    "engines": f"some of {','.join(ENGINES)}; default tensorflow,core",
    "cells": "tiny: in seconds, on anything",
    "filter": "only rows whose label matches, e.g. 'backward graph 64x1500x512 "
    ".*statpool'; several must all match; --list shows what labels are made of",
    "device": "auto: the GPU, where TensorFlow, if it takes part, sees it",
    "budget": "timing per cell, all providers together; each gets 3 samples at least",
    "output": "folder for CSV, environment, report and pictures; an older CSV is kept "
    f"as {results.PREVIOUS_NAME}",
    "list": "show the labels and stop",
    "report": "make the report of a CSV again and stop",
    "compare": "list the rows of two CSVs that differ beyond the noise and stop",
}


def main(arguments=None) -> int:
    """Measures statpool against the ways that people pool today.

    Every provider is checked by exact values first. Ctrl-C keeps what was measured.
    """
    parser = argparse.ArgumentParser("benchmarks.run", description=main.__doc__)
    for name, options in (
        ("engines", {"type": _engines, "default": "tensorflow,core"}),
        ("cells", {"choices": _CELLS, "default": "full"}),
        ("filter", {"action": "append", "default": [], "metavar": "REGEX"}),
        ("device", {"choices": ["auto", "cpu", "gpu"], "default": "auto"}),
        ("budget", {"type": float, "metavar": "SECONDS"}),
        ("output", {"type": Path, "default": Path("output/benchmarks")}),
        ("list", {"action": "store_true"}),
        ("report", {"type": Path, "metavar": "CSV"}),
        ("compare", {"type": Path, "nargs": 2, "metavar": ("OLD", "NEW")}),
    ):
        parser.add_argument(f"--{name}", help=_HELP[name], **options)
    asked = parser.parse_args(arguments)
    try:
        if asked.compare:
            from benchmarks import compare

            print(compare.describe(*map(results.load, asked.compare)))
        if asked.report:
            _report(asked.report)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return 0 if asked.compare or asked.report else _measure(parser, asked)


def _measure(parser, asked) -> int:
    """Goes through the cells; fails where statpool is wrong or a limit is beaten."""
    if "torch" in asked.engines:
        _load_triton()
    device = asked.device if asked.device != "auto" else _device(asked.engines)
    on_cpu = device == "cpu"
    engines = [name for name in asked.engines if on_cpu or name != "core"]
    cells, providers = _CELLS[asked.cells](), providers_of(engines)
    if asked.list:
        print("A label is the label of a cell, a blank and a provider.")
        print("\nCells:", *(cell.label for cell in cells), sep="\n  ")
        print("\nProviders:", *(p.name for p in providers), sep="\n  ")
        return 0
    writer = results.Writer(asked.output, environment.describe_environment(device))
    budget = asked.budget or _BUDGETS[asked.cells]

    def wanted(label: str) -> bool:
        return all(re.search(pattern, label) for pattern in asked.filter)

    session = Session(providers, writer, device, budget, wanted)
    cells = [cell for cell in cells if session.wants(cell)]
    if not cells:
        parser.error(
            "--filter must leave at least one row of the engines that run here, but no "
            f"label matches all of {asked.filter}; see --list"
        )
    # A GPU's driver reserves more than it will ever use.
    with memory.no_more_than_there_is() if on_cpu else contextlib.nullcontext():
        try:
            for number, cell in enumerate(cells, 1):
                print(f"[{number} of {len(cells)}] {cell.label}", flush=True)
                session.run_cell(cell)
        except KeyboardInterrupt:
            print("Interrupted: what was measured until here is kept.")
    _report(writer.csv)
    for row in session.wrong:
        print(f"Not right: {row}")
    for row in session.beaten:
        print(f"A limit must be the least time, but was beaten: {row}. Measure again.")
    print(f"{len(cells)} cells, {len(session.wrong)} rows of statpool not right")
    return int(bool(session.wrong or session.beaten))


def _engines(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(ENGINES):
        raise argparse.ArgumentTypeError(f"no engine {', '.join(unknown)}")
    return names


def _device(engines) -> str:
    if cuda_launchers.has_gpu() and "tensorflow" in engines:
        import tensorflow as tf

        return "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    return "gpu" if cuda_launchers.has_gpu() else "cpu"


def _load_triton() -> None:
    """Loads the compiler of PyTorch, where it is installed, before TensorFlow.

    Both bring an LLVM of their own, and loading the one after the other crashes.
    """
    with contextlib.suppress(ImportError):
        import triton._C.libtriton  # noqa: F401


def _report(csv: Path) -> None:
    lacking = [name for name in _FOR_REPORTS if importlib.util.find_spec(name) is None]
    if lacking:
        print(f"No report, which needs {', '.join(lacking)}. Results: {csv}")
        return
    from benchmarks import report

    print(f"Report: {report.write_report(csv)}")


if __name__ == "__main__":
    sys.exit(main())
