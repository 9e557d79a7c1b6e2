"""The pictures, drawn from the rows of the CSV alone: speed-up, share of the limit."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd

from benchmarks import cases, formats, grid, results

mpl.use("Agg")

from matplotlib import pyplot as plt

_OURS = {"statpool": "#1f3fd0", "statpool XLA": "#6a3fd0"}  # others take turns
_SPREAD = 0.7  # of the dots of a line, so that none hides another
_IN_BLUE = {"textcoords": "offset points", "va": "center", "fontweight": "bold"}


def draw_all(frame: pd.DataFrame, folder: Path) -> list[str]:
    """Draws what the rows allow; returns lines of Markdown that show the pictures."""
    lines = []
    faster, times = _of_providers(over_baseline(frame)), "times as fast as Lambda"
    for name, title, rows, label, write in (
        ("speedup.png", "Speed-up over Lambda", faster, times, formats.times),
        ("share.png", "Share of the machine's limit", *_shares(frame), formats.percent),
    ):
        if rows.empty:
            continue
        figure = _dots(rows, label, write)
        for axis in figure.axes:
            axis.axvline(1, color="black", linewidth=1.2)
            if write is formats.times:
                axis.set_xscale("log")
            axis.xaxis.set_major_formatter(lambda value, _, write=write: write(value))
            axis.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        title = f"{title}, {rows['device_name'].iloc[0]}"
        figure.suptitle(title, fontsize=13, fontweight="bold", y=1.05)
        figure.savefig(folder / name, dpi=120, bbox_inches="tight")
        plt.close(figure)
        lines.append(f"![{title}]({name})")
    return lines


def over_baseline(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows inside one graph, with the baseline's time over theirs as `value`."""
    rows = frame[frame["seconds"].notna() & (frame["engine"] != "machine")]
    rows = rows[rows["dispatch"] == "graph"]
    key = ["mode", *results.CASE]
    baseline = rows[rows["provider"] == results.BASELINE].set_index(key)["seconds"]
    baseline = baseline.rename("baseline")
    rows = rows[rows["provider"] != results.BASELINE].join(baseline, key)
    rows = rows.assign(value=rows["baseline"] / rows["seconds"])
    return rows[rows["value"].notna()]


def _shares(frame: pd.DataFrame):
    """Those of the kernels alone on a card, else of providers; and what they are of."""
    rows = frame.assign(value=frame["share_of_limit"])[frame["share_of_limit"].notna()]
    kernels = rows[(rows["engine"] == "cuda") & (rows["masked"] == 0)]
    kernels = kernels[kernels["provider"] == "+".join(cases.STATISTICS)]
    if kernels.empty:
        rows = _of_providers(rows[rows["dispatch"] == "graph"])
        return rows, "share of the speed of a streaming read or copy of the same bytes"
    panel = kernels["mode"] + ", " + kernels["layout"]
    # Older files, which name no limit, divide by the speed of 512 MiB.
    what = "of the same bytes" if (kernels["limit"] != "").all() else "of 512 MiB"
    label = f"share of the speed of a read or copy {what}"
    return kernels.assign(label=kernels["dtype"], panel=panel), label


def _of_providers(rows: pd.DataFrame) -> pd.DataFrame:
    """float32, channels last, no mask, warm, and a shape of the grid."""
    rows = rows[rows["dtype"] == "float32"]
    shapes = zip(rows["batch"], rows["time"], rows["channels"], strict=True)
    variants = [formats.variant(row) for _, row in rows.iterrows()]
    plain = [s in grid.SHAPES and not v for s, v in zip(shapes, variants, strict=True)]
    rows = rows[pd.Series(plain, rows.index, bool)]
    return rows.assign(label=rows["provider"], panel=rows["mode"])


def _dots(rows: pd.DataFrame, axis_label: str, write):
    """A part of the picture per `panel`, a line per shape, a dot per `label`."""
    sizes = rows["batch"] * rows["time"] * rows["channels"]
    rows = rows.assign(size=sizes, shape=rows.apply(formats.shape, axis=1))
    shapes = list(rows.sort_values("size")["shape"].unique())
    names, panels = list(rows["label"].unique()), sorted(rows["panel"].unique())
    size = 6.5 * min(len(panels), 2.5), 1.2 + 0.62 * len(shapes)
    shared = {"squeeze": False, "sharey": True, "sharex": True}
    figure, axes = plt.subplots(1, len(panels), figsize=size, **shared)
    for axis, panel in zip(axes[0], panels, strict=True):
        for _, row in rows[rows["panel"] == panel].iterrows():
            shift = _SPREAD * ((names.index(row["label"]) + 0.5) / len(names) - 0.5)
            place = shapes.index(row["shape"]) - shift
            fill = {"markerfacecolor": "none"} if row["status"] == "wrong" else {}
            axis.plot(row["value"], place, **_style(row["label"], names) | fill)
            if row["label"] == "statpool":  # in a column of its own, right of all dots
                at, style = axis.get_yaxis_transform(), {"color": _OURS["statpool"]}
                style |= _IN_BLUE | {"fontsize": 8, "xytext": (6, 0)}
                axis.annotate(write(row["value"]), (1, place), xycoords=at, **style)
        axis.set_title(panel, fontsize=11)
        axis.set_xlabel(axis_label, fontsize=9)
        axis.set_yticks(range(len(shapes)), shapes)
        axis.grid(alpha=0.3, axis="x")
        for line in range(1, len(shapes)):
            axis.axhline(line - 0.5, color="0.85", linewidth=0.8)
        axis.set_ylim(-0.5, len(shapes) - 0.5)
    axes[0][0].set_ylabel("B x T x C")
    _legend(figure, names)
    return figure


def _style(name: str, names: list[str]) -> dict:
    """Ours stand out, and are drawn on top."""
    ours = {"markersize": 8, "zorder": 3} if name.startswith("statpool") else {}
    colour = _OURS.get(name, f"C{names.index(name)}")
    marker = "D" if name.endswith("XLA") else "o"
    return {"color": colour, "alpha": 0.95, "linestyle": "", "marker": marker, **ours}


def _legend(figure, names) -> None:
    """One legend for all panels, below them."""
    marks = {name: _style(name, names) for name in names}
    if "statpool" in names:
        hollow = {"color": "black", "markerfacecolor": "none"}
        note = "hollow: wrong; in blue: values of statpool"
        marks[note] = marks["statpool"] | hollow
    handles = [mpl.lines.Line2D([], [], **style) for style in marks.values()]
    figure.tight_layout()
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "ncols": 4}
    figure.legend(handles, marks, fontsize=9, frameon=False, **place)
