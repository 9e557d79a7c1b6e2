"""Writes the report from a CSV: `python -m benchmarks.report RESULTS.csv`."""

import json
from pathlib import Path

import click
import pandas as pd

from benchmarks import formats, plots, results, tables

REPORT_NAME = "report.md"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(path):
    """Writes report.md and the pictures next to the results file PATH."""
    try:
        click.echo(write_report(path))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def write_report(path: Path) -> Path:
    """Writes report and pictures; returns the report's path."""
    frame = results.load(path)
    parts = ["# Benchmark report", _headline(frame), _where(path, frame)]
    for title, make, explanation in _SECTIONS:
        table = make(frame)
        if not table.empty:
            parts += [f"## {title}", explanation, table.to_markdown(index=False)]
    pictures = plots.draw_all(frame, path.parent)
    if pictures:
        parts.append("## Pictures")
        parts += [f"![{title}]({name})" for name, title in pictures.items()]
    report = path.parent / REPORT_NAME
    report.write_text("\n\n".join(part for part in parts if part) + "\n")
    return report


_SECTIONS = (
    (
        "Forward and backward inside one graph, float32",
        tables.forward_backward,
        "Median time of a call. (!) marks ways whose numbers are wrong. The empty call "
        "is what the loop around the calls of small inputs takes by itself; it is "
        "included in all times of ways without XLA.",
    ),
    (
        "Forward inside one graph, float32",
        tables.forward,
        "As above.",
    ),
    (
        "All dtypes, layouts and masks",
        tables.speedups,
        "Inside one graph. 2x: statpool takes half the time of Lambda, or of the "
        "fastest way of stock TensorFlow whose numbers are right, without and with "
        "XLA.",
    ),
    (
        "Where statpool is slower",
        tables.slower,
        "Cells of the table above with a ratio below 1.",
    ),
    (
        "Share of what the machine can do",
        tables.shares,
        "Time of a streaming read (forward), a streaming copy (backward) or both "
        "(forward+backward) of the same bytes, measured in the same rounds, over the "
        "time of a call. Inputs that exceed the caches together with their gradient.",
    ),
    (
        "The C++ core alone",
        tables.core,
        "Without TensorFlow, into buffers that exist already.",
    ),
    (
        "Single calls from Python, float32",
        tables.latency,
        "Median time of a call of a tf.function, dispatch included. Cold: the caches "
        "have lost the input.",
    ),
    (
        "Training steps",
        tables.training,
        "A whole step of Keras: forward, backward, update of the weights.",
    ),
    (
        "Peak memory",
        tables.memory,
        "What a call takes at its peak beyond its inputs; outputs are included.",
    ),
    (
        "Are the numbers right?",
        tables.correctness,
        "The worst verdict against the float64 reference. ok: as exact as the contract "
        "asks. imprecise: not, but no worse than adding up one by one in the dtype of "
        "x. wrong: worse, or NaN. One channel of the input is silent.",
    ),
    (
        "Left out and failed",
        tables.failures,
        "What could not be measured.",
    ),
)


def _headline(frame: pd.DataFrame) -> str:
    cells = tables.compare_cells(frame)
    cells = cells[(cells["mode"] == "forward+backward") & (cells["dtype"] == "float32")]
    cells = cells.dropna(subset=["over Lambda"])
    if cells.empty:
        return ""
    largest = cells.loc[cells["bytes"].idxmax()]
    text = (
        f"Forward and backward of {formats.shape(largest)} float32 take statpool "
        f"{formats.duration(largest['seconds'])} and the Lambda model's expression "
        f"{formats.duration(largest['Lambda'])}: "
        f"**{formats.times(largest['over Lambda'])} faster**"
    )
    if pd.notna(largest["over fastest"]):
        text += (
            f", and {formats.times(largest['over fastest'])} faster than the fastest "
            f"right way of stock TensorFlow ({largest['fastest']})"
        )
    return text + "."


def _where(path: Path, frame: pd.DataFrame) -> str:
    """The environment block, from its file if it is there, else from the CSV."""
    beside = path.with_name(results.ENVIRONMENT_NAME)
    if beside.exists():
        environment = json.loads(beside.read_text())
    else:
        names = ("time_stamp", "commit", "device", "device_name", "cores", "versions")
        environment = (
            {name: frame[name].iloc[0] for name in names} if len(frame) else {}
        )
    lines = [
        f"| {_title(name)} | {_environment_text(name, value)} |"
        for name, value in environment.items()
    ]
    return "\n".join(["| measured on | |", "|:--|:--|", *lines])


def _title(name: str) -> str:
    return name.removesuffix("_bytes").replace("_", " ")


def _environment_text(name: str, value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {text}" for key, text in value.items())
    return formats.size(value) if name.endswith("_bytes") else str(value)


if __name__ == "__main__":
    main()
