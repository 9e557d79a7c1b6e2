"""The results: one row per provider and cell, in a CSV that grows as rows come in."""

import csv
import dataclasses
import io
import json
import os
from pathlib import Path

import pandas as pd

BASELINE = "Lambda"  # Ratios are taken to this provider.
CSV_NAME = "results.csv"
JSON_NAME = "results.json"
PREVIOUS_NAME = "results.previous.csv"

# What tells two rows of one file apart.
KEY = [
    "provider",
    "mode",
    "dispatch",
    "batch",
    "time",
    "channels",
    "dtype",
    "layout",
    "masked",
    "cache",
    "device",
]


@dataclasses.dataclass
class Row:
    """One line of the CSV; empty fields mean "not measured".

    Attributes:
        provider: Name of the provider, or of a limit of the machine.
        engine: Array library that runs it; "machine" for a limit.
        ours: Whether statpool computes it.
        compiled: Whether XLA compiles it.
        mode: What is done: forward, forward+backward, backward, a training step.
        dispatch: How calls reach it: graph, call, core, step.
        batch: B.
        time: T.
        channels: C.
        dtype: dtype of x.
        layout: channels_last or channels_first.
        masked: Share of the time steps that a mask leaves out.
        cache: warm or cold.
        device: cpu or gpu.
        status: ok, imprecise, wrong, limit, out of memory, failed, left out.
        reason: Why the status isn't ok.
        error: Largest error, as a multiple of what the contract allows.
        seconds: Median seconds per call.
        seconds_q20: 20 % of the samples are faster.
        seconds_q80: 20 % of the samples are slower.
        samples: Number of samples.
        calls_per_sample: Calls that a sample averages over.
        bytes: Bytes that a call has to move.
        gb_per_s: Those bytes per median second, in units of 10^9.
        limit_seconds: What the machine's streaming read and copy would take.
        share_of_limit: limit_seconds / seconds.
        peak_bytes: Peak memory of a call beyond its inputs.
        launches: Kernel launches of a call on a GPU.
        device_seconds: Time on the GPU of a call.
        time_stamp: Start of the run, UTC.
        commit: Commit of the checkout.
        device_name: Model of the processor or card.
        cores: CPU cores that the run could use.
        versions: Versions of the packages, as "name version" joined by "; ".
    """

    provider: str
    engine: str = ""
    ours: bool = False
    compiled: bool = False
    mode: str = ""
    dispatch: str = ""
    batch: int | None = None
    time: int | None = None
    channels: int | None = None
    dtype: str = ""
    layout: str = ""
    masked: float | None = None
    cache: str = ""
    device: str = ""
    status: str = "ok"
    reason: str = ""
    error: float | None = None
    seconds: float | None = None
    seconds_q20: float | None = None
    seconds_q80: float | None = None
    samples: int | None = None
    calls_per_sample: int | None = None
    bytes: int | None = None
    gb_per_s: float | None = None
    limit_seconds: float | None = None
    share_of_limit: float | None = None
    peak_bytes: int | None = None
    launches: int | None = None
    device_seconds: float | None = None
    time_stamp: str = ""
    commit: str = ""
    device_name: str = ""
    cores: int | None = None
    versions: str = ""


COLUMNS = [field.name for field in dataclasses.fields(Row)]


class Writer:
    """Appends rows to the CSV, each in one piece, and sums up in JSON at the end."""

    def __init__(self, folder: Path, environment: dict):
        folder.mkdir(parents=True, exist_ok=True)
        self.csv = folder / CSV_NAME
        self._json = folder / JSON_NAME
        self._environment = environment
        if self.csv.exists():
            self.csv.replace(folder / PREVIOUS_NAME)
        self.csv.write_text(_line(COLUMNS))

    def add(self, row: Row) -> None:
        """Adds a row, with the environment filled in."""
        for name in ("time_stamp", "commit", "device", "device_name", "cores"):
            setattr(row, name, self._environment[name])
        versions = self._environment["versions"].items()
        row.versions = "; ".join(f"{name} {version}" for name, version in versions)
        line = _line([_text(value) for value in dataclasses.astuple(row)])
        with self.csv.open("ab", buffering=0) as file:
            file.write(line.encode())  # One write: a reader never sees half a row.

    def finish(self) -> None:
        """Writes the JSON, whole or not at all."""
        rows = json.loads(load(self.csv).to_json(orient="records"))
        content = {"environment": self._environment, "rows": rows}
        part = self._json.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(part, self._json)


def load(path: Path) -> pd.DataFrame:
    """Reads a CSV.

    Raises:
        ValueError: If it isn't one of ours.
    """
    texts = [field.name for field in dataclasses.fields(Row) if field.type is str]
    frame = pd.read_csv(path, dtype=dict.fromkeys(texts, str))
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
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _text(value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split())
