"""The pictures, drawn from the rows of the CSV alone."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd

from benchmarks import cases, formats, results

mpl.use("Agg")

from matplotlib import pyplot as plt

_COLOURS = {
    "Lambda": "#d62728",
    "Lambda XLA": "#ff9896",
    "repaired Lambda": "#8c564b",
    "repaired Lambda XLA": "#c49c94",
    "Keras layers": "#e377c2",
    "tf.nn.moments": "#7f7f7f",
    "statpool composite": "#9edae5",
    "statpool composite XLA": "#17becf",
    "statpool": "#1f3fd0",
    "statpool XLA": "#6a3fd0",
    "JAX jit": "#2ca02c",
    "torch.compile": "#ff7f0e",
}
_MODES = ("forward", "forward+backward")
_SPREAD = 0.7  # Of the dots of a line, so that none hides another.


def draw_all(frame: pd.DataFrame, folder: Path) -> dict[str, str]:
    """Draws what the rows allow; returns titles by file name."""
    rows = frame[frame["seconds"].notna() & (frame["engine"] != "machine")]
    pictures = {
        "speedup.png": ("Speed-up over the Lambda model", _draw_speedup),
        "share.png": ("Share of the machine's limit", _draw_share),
        "scaling.png": ("Time against T and against C", _draw_scaling),
        "memory.png": ("Peak memory", _draw_memory),
    }
    drawn = {}
    for name, (title, draw) in pictures.items():
        figure = draw(rows)
        if figure is not None:
            figure.suptitle(title, fontsize=13, fontweight="bold", y=1.05)
            figure.savefig(folder / name, dpi=130, bbox_inches="tight")
            plt.close(figure)
            drawn[name] = title
    return drawn


def _draw_speedup(rows: pd.DataFrame):
    rows = _plain(rows)
    key = ["mode", "batch", "time", "channels"]
    baseline = rows[rows["provider"] == results.BASELINE].set_index(key)
    rows = rows[rows["provider"] != results.BASELINE].join(
        baseline["seconds"].rename("seconds_of"), key
    )
    rows = rows.assign(value=rows["seconds_of"] / rows["seconds"]).dropna(
        subset=["value"]
    )
    label = "times as fast as Lambda: right of the red line is faster"
    figure = _dots(rows, label, formats.times)
    if figure is None:
        return None
    for axis in figure.axes:
        axis.set_xscale("log")
        axis.axvline(1, color=_COLOURS["Lambda"], linewidth=1.2)
        low, high = axis.get_xlim()
        steps = (1, 2, 5) if high < 1000 * low else (1,)  # more would overlap
        axis.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=steps))
        axis.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%gx"))
        axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    return figure


def _draw_share(rows: pd.DataFrame):
    rows = _plain(rows).dropna(subset=["share_of_limit"])
    figure = _dots(
        rows.assign(value=rows["share_of_limit"]),
        "share of the speed of a streaming read or copy of the same bytes",
        formats.percent,
    )
    if figure is None:
        return None
    for axis in figure.axes:
        axis.set_xlim(left=-0.02)
        axis.axvline(1, color="black", linewidth=1.2)
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
    return figure


def _draw_scaling(rows: pd.DataFrame):
    rows = _plain(rows)
    rows = rows[rows["mode"] == "forward+backward"]
    panels = [
        (
            "time",
            rows[(rows["batch"] == 16) & (rows["channels"] == 128)],
            "time steps T",
        ),
        ("channels", rows[(rows["batch"] == 16) & (rows["time"] == 300)], "channels C"),
    ]
    panels = [panel for panel in panels if panel[1][panel[0]].nunique() > 2]
    if not panels:
        return None
    figure, axes = plt.subplots(
        1, len(panels), figsize=(6 * len(panels), 4.6), squeeze=False, sharey=True
    )
    for axis, (column, part, label) in zip(axes[0], panels, strict=True):
        for name, line in part.groupby("provider", sort=False):
            line = line.sort_values(column)
            axis.plot(line[column], line["seconds"], **_style(name))
        limit = part.dropna(subset=["limit_seconds"]).groupby(column)["limit_seconds"]
        median = limit.median()
        axis.plot(median.index, median, "k--", label="limit of the machine")
        other = "C = 128" if column == "time" else "T = 300"
        axis.set(xscale="log", yscale="log", xlabel=f"{label}  (B = 16, {other})")
        axis.yaxis.set_major_formatter(lambda value, _: formats.power(value))
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("forward + backward, float32")
    _legend(figure)
    return figure


def _draw_memory(rows: pd.DataFrame):
    rows = _plain(rows).dropna(subset=["peak_bytes"])
    if rows.empty:
        return None
    size = rows["batch"] * rows["time"] * rows["channels"] * 4
    rows = rows.assign(value=rows["peak_bytes"] / size)[size == size.max()]
    modes = [mode for mode in _MODES if mode in set(rows["mode"])]
    figure, axes = plt.subplots(
        1, len(modes), figsize=(5.5 * len(modes), 4), squeeze=False, sharey=True
    )
    for axis, mode in zip(axes[0], modes, strict=True):
        part = rows[rows["mode"] == mode]
        colours = [_style(name)["color"] for name in part["provider"]]
        bars = axis.barh(part["provider"], part["value"], color=colours)
        axis.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        axis.set_title(f"{mode}, {formats.shape(part.iloc[0])} float32", fontsize=10)
        axis.set_xlabel("peak beyond the input, in sizes of the input")
        axis.margins(x=0.15)
    axes[0][0].invert_yaxis()
    figure.tight_layout()
    return figure


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Inside one graph, float32, channels last, no mask, warm."""
    return rows[
        (rows["dispatch"] == "graph")
        & (rows["dtype"] == "float32")
        & (rows["layout"] == "channels_last")
        & (rows["masked"] == 0)
        & (rows["cache"] == "warm")
    ]


def _dots(rows: pd.DataFrame, label: str, write):
    """One panel per mode, one line per shape of the grid, one dot per provider."""
    shapes = zip(rows["batch"], rows["time"], rows["channels"], strict=True)
    in_grid = pd.Series([shape in cases.SHAPES for shape in shapes], rows.index, bool)
    rows = rows[in_grid]
    modes = [mode for mode in _MODES if mode in set(rows["mode"])]
    if not modes:
        return None
    sizes = rows["batch"] * rows["time"] * rows["channels"]
    rows = rows.assign(size=sizes, shape=rows.apply(formats.shape, axis=1))
    shapes = list(rows.sort_values("size")["shape"].unique())
    names = list(dict.fromkeys(rows["provider"]))
    figure, axes = plt.subplots(
        1,
        len(modes),
        figsize=(6.5 * len(modes), 1.2 + 0.62 * len(shapes)),
        squeeze=False,
        sharey=True,
        sharex=True,
    )
    for axis, mode in zip(axes[0], modes, strict=True):
        part = rows[rows["mode"] == mode]
        for name, dots in part.groupby("provider", sort=False):
            shift = _SPREAD * (names.index(name) / len(names) - 0.5)
            places = [shapes.index(shape) - shift for shape in dots["shape"]]
            for (_, dot), place in zip(dots.iterrows(), places, strict=True):
                fill = {"markerfacecolor": "none"} if dot["status"] == "wrong" else {}
                axis.plot(dot["value"], place, linestyle="", **_style(name) | fill)
            if name == "statpool":
                _write_values(axis, dots["value"], places, write)
        axis.set_title(mode, fontsize=11)
        axis.set_xlabel(label, fontsize=9)
        axis.set_yticks(range(len(shapes)), shapes)
        axis.grid(alpha=0.3, axis="x")
        for line in range(1, len(shapes)):
            axis.axhline(line - 0.5, color="0.85", linewidth=0.8)
        axis.set_ylim(-0.5, len(shapes) - 0.5)
    axes[0][0].set_ylabel("B x T x C, float32")
    _legend(figure, "hollow: wrong; in blue: values of statpool")
    return figure


def _write_values(axis, values, places, write) -> None:
    """Writes the numbers of statpool in a column of their own, right of every dot."""
    for value, place in zip(values, places, strict=True):
        axis.annotate(
            write(value),
            (1, place),
            xycoords=axis.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold",
            color=_COLOURS["statpool"],
        )


def _style(name: str) -> dict:
    """Ours stand out, and are drawn on top."""
    ours = name.startswith("statpool")
    return {
        "label": name,
        "color": _COLOURS.get(name, "#bcbd22"),
        "marker": "D" if name.endswith("XLA") else "o",
        "markersize": 8 if ours else 6,
        "zorder": 3 if ours else 2,
        "alpha": 0.95,
    }


def _legend(figure, note: str = "") -> None:
    """One legend for all panels, below them, with the marks of right numbers."""
    labels = {}
    for axis in figure.axes:
        handles, names = axis.get_legend_handles_labels()
        labels |= dict(zip(names, handles, strict=True))
    for name, handle in labels.items():
        if handle.get_markerfacecolor() == "none":
            labels[name] = mpl.lines.Line2D([], [], linestyle="", **_style(name))
    if note:
        labels[note] = mpl.lines.Line2D(
            [], [], linestyle="", marker="o", color="black", markerfacecolor="none"
        )
    figure.tight_layout()
    figure.legend(
        labels.values(),
        labels.keys(),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=4,
        fontsize=9,
        frameon=False,
    )
