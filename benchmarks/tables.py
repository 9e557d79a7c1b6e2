"""The tables of the report, each made from the rows of the CSV alone."""

import pandas as pd

from benchmarks import formats, limits, results

STATPOOL = "statpool"
COMPOSITE = "statpool composite"
_CASE = ["batch", "time", "channels", "dtype", "layout", "masked", "cache"]
_CELL = ["mode", "dispatch", *_CASE]
_VERDICTS = ["ok", "imprecise", "wrong"]


def forward_backward(frame: pd.DataFrame) -> pd.DataFrame:
    """Times of forward+backward by shape and provider."""
    return _times(_plain(frame, "forward+backward", "graph"))


def forward(frame: pd.DataFrame) -> pd.DataFrame:
    """Times of forward by shape and provider."""
    return _times(_plain(frame, "forward", "graph"))


def latency(frame: pd.DataFrame) -> pd.DataFrame:
    """Times of single calls, warm and cold."""
    rows = _timed(frame)
    return _times(rows[rows["dispatch"] == "call"])


def training(frame: pd.DataFrame) -> pd.DataFrame:
    """Times of training steps."""
    rows = _timed(frame)
    rows = rows[rows["dispatch"] == "step"]
    if rows.empty:
        return rows
    return _pivot_plain(
        rows.assign(value=_marked_times(rows)), ["provider"], "mode", "value"
    )


def speedups(frame: pd.DataFrame) -> pd.DataFrame:
    """Ratios of the others to statpool, cell by cell."""
    return _format_cells(compare_cells(frame))


def slower(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells that statpool loses."""
    cells = compare_cells(frame)
    lost = (cells["over fastest"] < 1) | (cells["over fastest, XLA"] < 1)
    return _format_cells(cells[lost])


def compare_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One line per graph cell with statpool's time and its ratios to the others.

    The native op if it ran, else the composite. The fastest other way is one of stock
    TensorFlow whose numbers aren't wrong.
    """
    rows = _timed(frame)
    rows = rows[(rows["dispatch"] == "graph") & (rows["engine"] == "tensorflow")]
    ours = STATPOOL if STATPOOL in set(rows["provider"]) else COMPOSITE
    lines = []
    for key, group in rows.groupby(_CELL, sort=False, dropna=False):
        by_name = group.set_index("provider")
        if ours not in by_name.index:
            continue
        right = group[(group["ours"] == False) & (group["status"] != "wrong")]  # noqa: E712
        line = dict(zip(_CELL, key, strict=True))
        line["bytes"], line["seconds"] = by_name.loc[ours, ["bytes", "seconds"]]
        line["Lambda"] = by_name["seconds"].get(results.BASELINE)
        for name, compiled in (("fastest", False), ("fastest, XLA", True)):
            others = right[right["compiled"] == compiled]
            best = None if others.empty else others.loc[others["seconds"].idxmin()]
            line[name] = None if best is None else best["provider"]
            line[f"{name} seconds"] = None if best is None else best["seconds"]
        lines.append(line)
    columns = [*_CELL, "bytes", "seconds", "Lambda"]
    for name in ("fastest", "fastest, XLA"):
        columns += [name, f"{name} seconds"]
    cells = pd.DataFrame(lines, columns=columns)
    cells["over Lambda"] = _ratio(cells["Lambda"], cells["seconds"])
    for name in ("fastest", "fastest, XLA"):
        cells[f"over {name}"] = _ratio(cells[f"{name} seconds"], cells["seconds"])
    return cells


def shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Shares of the machine's limit by cell and provider."""
    rows = _timed(frame)
    rows = rows[rows["share_of_limit"].notna() & (rows["dispatch"] == "graph")]
    return _pivot(rows, rows["share_of_limit"].map(formats.percent), with_mode=True)


def core(frame: pd.DataFrame) -> pd.DataFrame:
    """The kernels without TensorFlow next to the machine's limits."""
    rows = _timed(frame)
    rows = rows[(rows["dispatch"] == "core") & (rows["engine"] == "core")]
    if rows.empty:
        return rows
    table = _describe(rows, with_mode=True)
    table["provider"] = rows["provider"]
    table["time"] = rows["seconds"].map(formats.duration)
    table["GB/s"] = rows["gb_per_s"].map("{:.1f}".format)
    table["share of limit"] = rows["share_of_limit"].map(formats.percent)
    return table


def memory(frame: pd.DataFrame) -> pd.DataFrame:
    """Peak memory by cell and provider."""
    rows = frame[frame["peak_bytes"].notna()]
    return _pivot(rows, rows["peak_bytes"].map(formats.size), with_mode=True)


def correctness(frame: pd.DataFrame) -> pd.DataFrame:
    """The worst verdict on each provider by mode and dtype, reasons included."""
    rows = frame[frame["status"].isin(_VERDICTS)].copy()
    if rows.empty:
        return rows
    rows["rank"] = rows["status"].map(_VERDICTS.index)
    keys = ["provider", "mode", "dtype"]
    rows = rows.sort_values("rank", ascending=False, kind="stable")
    worst = rows.drop_duplicates(keys).sort_index()
    table = _pivot_plain(worst, keys[:2], "dtype", "status")
    reasons = worst.groupby(keys[:2])["reason"].agg(
        lambda texts: "; ".join(dict.fromkeys(text for text in texts if text))
    )
    return table.join(reasons, on=keys[:2])


def failures(frame: pd.DataFrame) -> pd.DataFrame:
    """What was left out, failed or ran out of memory."""
    rows = frame[frame["status"].isin(["left out", "failed", "out of memory"])]
    if rows.empty:
        return rows
    where = [
        "everywhere"
        if row["status"] == "left out"
        else f"{row['mode']}, {formats.shape(row)}, {row['dtype']}"
        for _, row in rows.iterrows()
    ]
    return rows[["provider", "status", "reason"]].assign(where=where)


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of providers that have a time."""
    return frame[frame["seconds"].notna() & (frame["engine"] != "machine")]


def _timed_and_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """These rows, and those of the empty call."""
    provider = (frame["engine"] != "machine") | (frame["provider"] == limits.EMPTY)
    return frame[frame["seconds"].notna() & provider]


def _plain(frame: pd.DataFrame, mode: str, dispatch: str) -> pd.DataFrame:
    """float32, channels last, no mask, warm."""
    rows = _timed_and_empty(frame)
    return rows[
        (rows["mode"] == mode)
        & (rows["dispatch"] == dispatch)
        & (rows["dtype"] == "float32")
        & (rows["layout"] == "channels_last")
        & (rows["masked"] == 0)
        & (rows["cache"] == "warm")
    ]


def _times(rows: pd.DataFrame) -> pd.DataFrame:
    """Times by case and provider, wrong ones marked."""
    several = rows["mode"].nunique() > 1
    return _pivot(rows, _marked_times(rows), with_mode=several)


def _marked_times(rows: pd.DataFrame) -> pd.Series:
    marks = rows["status"].map(lambda status: " (!)" if status == "wrong" else "")
    return rows["seconds"].map(formats.duration) + marks


def _pivot(rows: pd.DataFrame, values: pd.Series, with_mode: bool) -> pd.DataFrame:
    """One line per case, one column per provider."""
    if rows.empty:
        return rows
    labels = _describe(rows, with_mode)
    table = labels.assign(provider=rows["provider"], value=values)
    return _pivot_plain(table, list(labels.columns), "provider", "value")


def _pivot_plain(rows, lines: list[str], columns: str, values: str) -> pd.DataFrame:
    """Lines, columns and values in the order in which they come."""
    wide = rows.pivot_table(
        index=lines, columns=columns, values=values, aggfunc="first", sort=False
    )
    order = list(dict.fromkeys(rows[columns]))
    return wide[order].fillna("").reset_index().rename_axis(None, axis=1)


def _describe(rows: pd.DataFrame, with_mode: bool) -> pd.DataFrame:
    """The columns that say what a line is about, without those that never differ."""
    labels = pd.DataFrame(index=rows.index)
    if with_mode:
        labels["mode"] = rows["mode"]
    labels["B x T x C"] = rows.apply(formats.shape, axis=1)
    if rows["dtype"].nunique() > 1:
        labels["dtype"] = rows["dtype"]
    variants = rows.apply(formats.variant, axis=1)
    if variants.nunique() > 1:
        labels["variant"] = variants
    return labels


def _format_cells(cells: pd.DataFrame) -> pd.DataFrame:
    if cells.empty:
        return cells
    table = _describe(cells, with_mode=True)
    table["statpool"] = cells["seconds"].map(formats.duration)
    table["over Lambda"] = cells["over Lambda"].map(formats.times)
    for name in ("fastest", "fastest, XLA"):
        ratios = cells[f"over {name}"].map(formats.times)
        title = "over the fastest other" + (", XLA" if "XLA" in name else "")
        table[title] = [
            f"{ratio} ({other})" if ratio else "nobody right"
            for ratio, other in zip(ratios, cells[name], strict=True)
        ]
    return table


def _ratio(other: pd.Series, ours: pd.Series) -> pd.Series:
    return pd.to_numeric(other) / pd.to_numeric(ours)
