"""The report, made from a CSV alone: tables, and the pictures of plots.py."""

from pathlib import Path

import pandas as pd

from benchmarks import formats, limits, plots, results

REPORT_NAME = "report.md"
_STATUSES = ["ok", "imprecise", "wrong", "out of memory", "failed", "left out"]
_CALLS = "Median time of a call. (!) marks ways whose numbers are wrong."
_GRAPH = f"""{_CALLS} The empty call is the loop around the calls of small inputs, which
all times of ways without XLA include."""
_SHARES = """Time of a streaming read (forward), a streaming copy (backward) or both of
the same bytes, over the time of a call. Inputs that exceed the caches."""
_STEPS = """Forward, backward, update. Bytes are operands and results of all
instructions that XLA runs or, without XLA, of all ops of the traced graph."""
_RIGHT = """The worst verdict. ok: as exact as the contract asks. imprecise: not, but no
worse than adding up one by one in the dtype of x. wrong: worse, or NaN. One channel of
the input is silent."""


def write_report(path: Path) -> Path:
    """Writes report and pictures next to the CSV; returns the report's path."""
    frame = results.load(path)
    environment = path.with_name(results.ENVIRONMENT_NAME).read_text()
    parts = ["# Benchmark report", f"```json\n{environment}```"]
    for title, explanation, table in (
        ("Inside one graph", _GRAPH, _times(frame, "graph")),
        ("Times as fast as Lambda", "Inside one graph.", _speedups(frame)),
        ("Share of what the machine can do", _SHARES, _shares(frame)),
        ("The kernels alone", "No framework.", _times(frame, "core", "kernel")),
        ("Single calls from Python", _CALLS, _times(frame, "call")),
        ("Training steps", _STEPS, _times(frame, "step")),
        ("Are the numbers right?", _RIGHT, _verdicts(frame)),
    ):
        if not table.empty:
            parts += [f"## {title}", explanation, table.to_markdown(index=False)]
    parts += plots.draw_all(frame, path.parent)
    report = path.with_name(REPORT_NAME)
    report.write_text("\n\n".join(parts) + "\n")
    return report


def _times(frame: pd.DataFrame, *dispatches: str) -> pd.DataFrame:
    """Times by case and provider, those of wrong numbers marked."""
    rows = frame[frame["seconds"].notna() & frame["dispatch"].isin(dispatches)]
    rows = rows[(rows["engine"] != "machine") | (rows["provider"] == limits.EMPTY)]
    marks = rows["status"].map(lambda status: " (!)" if status == "wrong" else "")
    steps = rows["bytes"].where(rows["dispatch"] == "step") / 1e6
    moved = steps.map(lambda size: "" if pd.isna(size) else f", {size:.4g} MB")
    return _pivot(rows, rows["seconds"].map(formats.duration) + moved + marks)


def _speedups(frame: pd.DataFrame) -> pd.DataFrame:
    rows = plots.over_baseline(frame)
    return _pivot(rows, rows["value"].map(formats.times))


def _shares(frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame[frame["share_of_limit"].notna()]
    return _pivot(rows, rows["share_of_limit"].map(formats.percent))


def _verdicts(frame: pd.DataFrame) -> pd.DataFrame:
    """The worst of each provider by mode and dtype, reasons included."""
    rows = frame[frame["status"].isin(_STATUSES)]
    rows = rows.assign(rank=rows["status"].map(_STATUSES.index))
    worst = rows.sort_values("rank", ascending=False, kind="stable")
    keys = ["provider", "mode"]
    worst = worst.drop_duplicates([*keys, "dtype"]).sort_index()
    reasons = worst.groupby(keys)["reason"].agg(
        lambda texts: "; ".join(dict.fromkeys(text for text in texts if text))
    )
    return _wide(worst, keys, "dtype", "status").join(reasons, on=keys)


def _pivot(rows: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    """One line per case, one column per provider."""
    if rows.empty:
        return rows
    labels = {
        "mode": rows["mode"],
        "B x T x C": rows.apply(formats.shape, axis=1),
        "dtype": rows["dtype"],
        "variant": rows.apply(formats.variant, axis=1),
    }
    table = pd.DataFrame({**labels, "provider": rows["provider"], "value": values})
    return _wide(table, list(labels), "provider", "value")


def _wide(rows, lines: list[str], columns: str, values: str) -> pd.DataFrame:
    """Lines, columns and values in the order in which they come."""
    wide = rows.pivot_table(
        index=lines, columns=columns, values=values, aggfunc="first", sort=False
    )
    order = list(dict.fromkeys(rows[columns]))
    return wide[order].fillna("").reset_index().rename_axis(None, axis=1)
