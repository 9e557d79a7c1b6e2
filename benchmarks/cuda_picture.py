"""Draws what the CUDA kernels reach of a card's own speed, from CSVs of `make gpu`.

    python -m benchmarks.cuda_picture CSV [CSV ...]

One picture beside the first CSV, kernels.png: a panel for each pass and layout, a line
for each shape, a colour for each dtype, a marker for each card. Older CSVs don't say
the limit of a row: their shares are of the rate at which the card moves 512 MiB.
"""

import sys
from pathlib import Path

import matplotlib as mpl

from benchmarks import cases, formats, results

mpl.use("Agg")

from matplotlib import pyplot as plt

_COLOURS = dict(
    zip(cases.DTYPES, ("#1f3fd0", "#2ca02c", "#ff7f0e", "#7f7f7f"), strict=True)
)
_MARKERS = "oD^s"
_LAYOUTS = "channels_last", "channels_first"
_LIMITS = {cases.FORWARD: "read", cases.BACKWARD: "copy"}


def draw(paths: list[Path]) -> Path:
    """Draws the default statistics without a mask; returns the picture's path.

    Raises:
        ValueError: If the files have shares of different limits.
    """
    frames = [results.load(path) for path in paths]
    of_same_size = {bool((frame["limit"] != "").any()) for frame in frames}
    if len(of_same_size) > 1:
        raise ValueError(
            "CSVs of one picture must have shares of the same limit, got some of the "
            "rate of 512 MiB and some of as many bytes as a call moves; draw them "
            "apart, or measure anew by make gpu."
        )
    what = "a {} of as many bytes" if any(of_same_size) else "the rate of a 512 MiB {}"
    most = max(frame["share_of_limit"].max() for frame in frames)
    figure, axes = plt.subplots(1, 4, figsize=(15, 4.6), sharey=True, sharex=True)
    panels = [(m, layout) for layout in _LAYOUTS for m in _LIMITS]
    shapes = []
    for axis, (mode, layout) in zip(axes, panels, strict=True):
        for frame, marker in zip(frames, _MARKERS, strict=False):
            rows = frame[
                (frame["provider"] == "+".join(cases.STATISTICS))
                & (frame["mode"] == mode)
                & (frame["layout"] == layout)
                & (frame["masked"] == 0)
            ]
            for _, row in rows.iterrows():
                shape = formats.shape(row)
                if shape not in shapes:
                    shapes.append(shape)
                label = f"{row['device_name']}, {row['dtype']}"
                axis.plot(
                    row["share_of_limit"],
                    shapes.index(shape),
                    marker,
                    color=_COLOURS[row["dtype"]],
                    alpha=0.8,
                    label=label,
                )
        axis.set_title(f"{mode}, {layout}", fontsize=10)
        axis.set_xlabel(f"share of {what.format(_LIMITS[mode])}", fontsize=9)
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        axis.set_xlim(0, max(1, 1.02 * most))
        axis.grid(alpha=0.3)
    axes[0].set_yticks(range(len(shapes)), shapes)
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named.keys(), loc="lower center", ncols=4, fontsize=8)
    figure.subplots_adjust(bottom=0.27)
    picture = paths[0].with_name("kernels.png")
    figure.savefig(picture, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return picture


if __name__ == "__main__":
    print(draw([Path(path) for path in sys.argv[1:]]))
