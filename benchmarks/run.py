"""Measures and reports: `python -m benchmarks.run --help`."""

import contextlib
import os
import re
from pathlib import Path

# TensorFlow reads it when it is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
import tqdm

from benchmarks import cases, environment, memory, report, results

_QUICK_BUDGET, _FULL_BUDGET = 1.0, 3.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="A few cells, in about 3 minutes.")
@click.option("--peers", is_flag=True, help="JAX and PyTorch too, where installed.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="REGEX",
    help="Only rows whose label matches, e.g. 'backward graph 64x1500x512 .*statpool'. "
    "Several must all match; --list shows what labels are made of.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    help="auto: the GPU where TensorFlow sees one.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help=f"Timing per cell, all providers together; default {_FULL_BUDGET:g}, with "
    f"--quick {_QUICK_BUDGET:g}. Everyone gets at least 3 samples.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("output/benchmarks"),
    show_default=True,
    help="Folder for CSV, environment, report and pictures. An older CSV is kept "
    f"as {results.PREVIOUS_NAME}.",
)
@click.option("--list", "only_list", is_flag=True, help="Show the labels and stop.")
def main(quick, peers, filters, device, budget, output, only_list):
    """Measures statpool against the ways that people pool today.

    Every provider is checked against the reference first. Ctrl-C keeps what was
    measured and writes the report.
    """
    if peers:
        _load_triton()
    from benchmarks.providers import select_providers
    from benchmarks.session import Session

    cells = cases.quick_cells() if quick else cases.full_cells()
    providers = select_providers(peers)

    def wanted(label: str) -> bool:
        return all(re.search(pattern, label) for pattern in filters)

    labels = [f"{cell.label} {p.name}" for cell in cells for p in providers]
    if not any(map(wanted, labels)):
        raise click.UsageError(
            "--filter must leave at least one row, but no label matches all of "
            f"{list(filters)}; see --list."
        )
    if only_list:
        click.echo("A label is the label of a cell, a blank and a provider.")
        click.echo("\nCells:\n  " + "\n  ".join(cell.label for cell in cells))
        click.echo("\nProviders:\n  " + "\n  ".join(p.name for p in providers))
        return
    if device == "auto":
        device = "gpu" if environment.has_gpu() else "cpu"
    writer = results.Writer(output, environment.describe_environment(device))
    budget = budget or (_QUICK_BUDGET if quick else _FULL_BUDGET)
    session = Session(providers, writer, device, budget, wanted, tqdm.tqdm.write)
    on_cpu = device == "cpu"  # A GPU's driver reserves more than it will ever use.
    with memory.no_more_than_there_is() if on_cpu else contextlib.nullcontext():
        _run(session, cells)
    click.echo(f"Report: {report.write_report(writer.csv)}")
    if session.beaten:
        raise click.ClickException(
            "The machine's limits must be the least times, but were beaten in "
            f"{'; '.join(session.beaten)}. Measure again on a quiet machine."
        )


def _load_triton() -> None:
    """Loads the compiler of PyTorch, where it is installed, before TensorFlow.

    Both bring an LLVM of their own, and loading the one after the other crashes.
    """
    with contextlib.suppress(ImportError):
        import triton._C.libtriton  # noqa: F401


def _run(session, cells) -> None:
    """Goes through the cells until the end or Ctrl-C."""
    cells = [cell for cell in cells if session.wants(cell)]
    with tqdm.tqdm(cells, unit="cell", dynamic_ncols=True) as progress:
        try:
            for cell in progress:
                progress.set_description(cell.label)
                session.run_cell(cell)
        except KeyboardInterrupt:
            session.say("Interrupted: what was measured until here is kept.")


if __name__ == "__main__":
    main()
