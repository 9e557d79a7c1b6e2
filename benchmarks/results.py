"""The results: one row per provider and cell, in a CSV that grows as rows come in."""

import csv
import dataclasses
import io
import json
from pathlib import Path

BASELINE = "Lambda"  # Ratios are taken to this provider.
CSV_NAME = "results.csv"
ENVIRONMENT_NAME = "environment.json"
PREVIOUS_NAME = "results.previous.csv"

CASE = ["batch", "time", "channels", "dtype", "layout", "masked", "cache"]
KEY = ["provider", "mode", "dispatch", *CASE, "device"]  # tells rows of a file apart


@dataclasses.dataclass
class Row:
    """One line of the CSV; empty fields mean "not measured"."""

    provider: str  # or a limit of the machine
    engine: str = ""  # array library that runs it; "machine" for a limit
    ours: bool = False  # statpool computes it
    compiled: bool = False  # by XLA
    mode: str = ""  # forward, forward+backward, backward, a training step
    dispatch: str = ""  # graph, call, core, kernel, step
    batch: int | None = None
    time: int | None = None
    channels: int | None = None
    dtype: str = ""
    layout: str = ""
    masked: float | None = None  # share of the steps that a mask leaves out
    cache: str = ""  # warm or cold
    device: str = ""
    status: str = "ok"  # imprecise, wrong, limit, out of memory, failed, left out
    reason: str = ""  # why the status isn't ok
    error: float | None = None  # the largest, in what the contract allows
    seconds: float | None = None  # median of a call
    seconds_q20: float | None = None  # 20 % of the samples are faster
    seconds_q80: float | None = None
    samples: int | None = None
    calls_per_sample: int | None = None
    bytes: int | None = None  # that a call has to move
    gb_per_s: float | None = None  # of them, in units of 10^9
    limit: str = ""  # of the machine: what the next two refer to
    limit_seconds: float | None = None
    share_of_limit: float | None = None
    peak_bytes: int | None = None  # of a call; older files have it
    time_stamp: str = ""  # start of the run, UTC
    commit: str = ""
    device_name: str = ""
    cores: int | None = None  # that the run could use
    versions: str = ""  # "name version" joined by "; "


COLUMNS = [field.name for field in dataclasses.fields(Row)]


class Writer:
    """Appends rows to the CSV, each in one piece; writes the environment next to it."""

    def __init__(self, folder: Path, environment: dict):
        folder.mkdir(parents=True, exist_ok=True)
        self.csv = folder / CSV_NAME
        self._environment = environment
        text = json.dumps(environment, indent=1) + "\n"
        (folder / ENVIRONMENT_NAME).write_text(text)
        if self.csv.exists():
            self.csv.replace(folder / PREVIOUS_NAME)
        self.csv.write_text(_line(COLUMNS))

    def add(self, row: Row) -> None:
        """Adds a row, with the environment filled in."""
        for name in ("time_stamp", "commit", "device", "device_name", "cores"):
            setattr(row, name, self._environment[name])
        versions = self._environment["versions"].items()
        row.versions = "; ".join(f"{name} {version}" for name, version in versions)
        line = _line(dataclasses.astuple(row))
        with self.csv.open("ab", buffering=0) as file:
            file.write(line.encode())  # One write: a reader never sees half a row.


def load(path: Path):
    """Reads a CSV into a frame of pandas, which measuring alone doesn't need.

    Raises:
        ValueError: If it isn't one of ours.
    """
    import pandas as pd

    texts = [field.name for field in dataclasses.fields(Row) if field.type is str]
    frame = pd.read_csv(path, dtype=dict.fromkeys(texts, str))
    if "limit" not in frame.columns:  # Older files don't say it.
        frame["limit"] = ""
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise ValueError(
            f"A results file has the columns of benchmarks.results.Row; {path} lacks "
            f"{', '.join(missing)}. Measure again with python -m benchmarks.run."
        )
    frame[texts] = frame[texts].fillna("")
    return frame


def _line(values) -> str:
    buffer = io.StringIO()
    texts = [
        f"{v:.6g}" if isinstance(v, float) else " ".join(str(v).split())
        for v in ("" if value is None else value for value in values)
    ]
    csv.writer(buffer, lineterminator="\n").writerow(texts)
    return buffer.getvalue()
