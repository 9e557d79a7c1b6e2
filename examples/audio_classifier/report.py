"""What came out of a run: a table, results.json and learning curves."""

import io
import json
import math
import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from rich.table import Table

from .training import History

# Colours that colour-blind readers tell apart; width and dashes for curves that meet.
STYLES = {
    "lambda": {"color": "#D55E00", "linewidth": 2, "marker": "x"},
    "mean-max": {"color": "#777777", "linewidth": 2, "marker": "s", "markersize": 4},
    "composite": {"color": "#56B4E9", "linewidth": 5, "zorder": 1},
    "statpool": {"color": "#0072B2", "linewidth": 2, "marker": "."},
}


def table(histories: list[History]) -> Table:
    """Returns one line per pooling."""
    result = Table(title="Pooling over time", title_style="bold")
    result.add_column("pooling")
    for title in ("best val\naccuracy", "last val\naccuracy", "first NaN\nepoch"):
        result.add_column(title, justify="right")
    result.add_column("seconds\nper epoch", justify="right")
    for history in histories:
        result.add_row(
            history.pooling,
            f"{max(history.val_accuracy):.1%}",
            f"{history.val_accuracy[-1]:.1%}",
            str(history.first_nan_epoch or "never"),
            f"{history.seconds_per_epoch:.2f}",
        )
    return result


def write_results(histories: list[History], path: Path) -> None:
    """Writes results.json; JSON knows no NaN or infinity, so these become null."""
    results = [
        {
            "pooling": history.pooling,
            "classes": history.classes,
            "epochs": [_without_nan(epoch) for epoch in history.epochs],
            "first_nan_epoch": history.first_nan_epoch,
            "seconds_per_epoch": history.seconds_per_epoch,
        }
        for history in histories
    ]
    text = json.dumps(results, indent=2, allow_nan=False)
    _replace(path, text.encode())


def _without_nan(epoch: dict[str, float]) -> dict[str, float | None]:
    return {key: x if math.isfinite(x) else None for key, x in epoch.items()}


def write_curves(histories: list[History], share: float, path: Path) -> None:
    """Draws validation accuracy and training loss per epoch.

    Args:
        histories: One curve each.
        share: Share of the first class among the validation clips: the accuracy of a
            network whose outputs are NaN.
        path: A PNG file.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    accuracy.axhline(share, color="black", linestyle=":", linewidth=1)
    accuracy.annotate(
        "always the first class",
        (1, share),
        xycoords=accuracy.get_yaxis_transform(),
        xytext=(0, -6),
        textcoords="offset points",
        ha="right",
        va="top",
    )
    for history in histories:
        nan = history.first_nan_epoch
        note = f", NaN from epoch {nan}" if nan else ""
        _curve(accuracy, history, "val_accuracy", history.pooling)
        _curve(loss, history, "loss", history.pooling + note)
    accuracy.set(title="Validation accuracy", ylim=(0, 1.03))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    loss.set(
        title="Training loss (a NaN loss has no point)",
        ylim=(0, 1.05 * loss.get_ylim()[1]),
    )
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    accuracy.legend(frameon=False, loc="center right")
    loss.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    _replace(path, picture.getvalue())


def _curve(axes: Axes, history: History, key: str, label: str) -> None:
    values = [epoch[key] for epoch in history.epochs]
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, label=label, **STYLES[history.pooling])


def _replace(path: Path, content: bytes) -> None:
    """Writes a file in one step, so that an interrupt leaves the old one."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
