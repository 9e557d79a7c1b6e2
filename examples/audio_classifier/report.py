"""What came out of a run: a table, results.json and learning curves."""

import dataclasses
import json
import math
import statistics

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "nan_weights")
# Colours that colour-blind readers tell apart; width and dashes for curves that meet.
STYLES = {
    "lambda": {"color": "#D55E00", "linewidth": 2, "marker": "x"},
    "mean-max": {"color": "#777777", "linewidth": 2, "marker": "s", "markersize": 4},
    "composite": {"color": "#56B4E9", "linewidth": 5, "zorder": 1},
    "statpool": {"color": "#0072B2", "linewidth": 2, "marker": "."},
}


@dataclasses.dataclass(frozen=True)
class History:
    """How one training went.

    Attributes:
        pooling: The pooling over time.
        classes: The classes, in the order of the network's outputs.
        logs: Keras' history: a list over the epochs of each of `KEYS`, and `seconds`,
            how long each epoch took with its validation.
        arrays: How many weight arrays the network has.
    """

    pooling: str
    classes: list[str]
    logs: dict[str, list[float]]
    arrays: int

    @property
    def epochs(self):
        """A dict of `KEYS` for each epoch."""
        columns = [self.logs[key] for key in KEYS]
        return [dict(zip(KEYS, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def first_nan_epoch(self):
        """The first epoch, counted from 1, with a NaN loss or weight."""
        for number, epoch in enumerate(self.epochs, start=1):
            losses = epoch["loss"], epoch["val_loss"]
            if epoch["nan_weights"] or any(map(math.isnan, losses)):
                return number
        return None

    @property
    def seconds_per_epoch(self):
        """The median, without the first epoch, in which TensorFlow traces the graph."""
        return statistics.median(self.logs["seconds"][1:] or self.logs["seconds"])

    @property
    def fate(self):
        """A few words: whether NaN came, and whether a check for a NaN loss fires."""
        if not (first := self.first_nan_epoch):
            return "no NaN"
        lost = self.logs["nan_weights"][-1]
        losses = self.logs["loss"] + self.logs["val_loss"]
        finite = all(map(math.isfinite, losses))
        seen = "a finite loss hides" if finite else "the loss shows"
        return f"{seen} NaN in {lost} of {self.arrays} weight arrays from epoch {first}"


def summary(histories, majority):
    """Returns a line per pooling, and what they must be compared with."""
    row = "{:<9} {:>8} {:>8} {:>9}  {}".format
    lines = ["", row("", "best", "last", "seconds", "")]
    lines.append(row("pooling", "accuracy", "accuracy", "per epoch", ""))
    for history in histories:
        found = history.logs["val_accuracy"]
        accuracies = [f"{share:.1%}" for share in (max(found), found[-1])]
        seconds = f"{history.seconds_per_epoch:.2f}"
        lines.append(row(history.pooling, *accuracies, seconds, history.fate))
    name, share = majority
    lines.append(f"Always saying {name!r} would be {share:.1%} right.")
    return "\n".join(lines)


def write_results(histories, path):
    """Writes results.json; JSON knows no NaN or infinity, so these become null."""
    results = [
        {
            "pooling": history.pooling,
            "classes": history.classes,
            "epochs": [
                {key: x if math.isfinite(x) else None for key, x in epoch.items()}
                for epoch in history.epochs
            ],
            "first_nan_epoch": history.first_nan_epoch,
            "seconds_per_epoch": history.seconds_per_epoch,
        }
        for history in histories
    ]
    path.write_text(json.dumps(results, indent=2, allow_nan=False))


def draw(histories, majority):
    """Returns a figure of validation accuracy and training loss per epoch.

    Args:
        histories: One curve each.
        majority: The most frequent class of the validation clips, and its share.
    """
    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    name, share = majority
    classes = len(histories[0].classes)
    _line(accuracy, share, f"always {name!r}", -9)
    _line(loss, math.log(classes), f"all {classes} classes alike", 9)
    for history in histories:
        _curve(accuracy, history, "val_accuracy", history.pooling)
        _curve(loss, history, "loss", f"{history.pooling}: {history.fate}")
    accuracy.set(title="Validation accuracy", ylim=(0, 1.03))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    losses = (loss for history in histories for loss in history.logs["loss"])
    undrawn = "" if all(map(math.isfinite, losses)) else " (a NaN loss has no point)"
    loss.set(title=f"Training loss{undrawn}", ylim=(0, 1.25 * loss.get_ylim()[1]))
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    accuracy.legend(frameon=False, loc="center right")
    loss.legend(frameon=False, loc="upper right", fontsize="small")
    return figure


def _line(axes, height, text, rise):
    """A dotted line at what a network reaches that has learnt nothing."""
    axes.axhline(height, color="black", linestyle=":", linewidth=1)
    where = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    axes.annotate(text, (1, height), xytext=(0, rise), ha="right", va="center", **where)


def _curve(axes, history, key, label):
    values = history.logs[key]
    axes.plot(range(1, len(values) + 1), values, label=label, **STYLES[history.pooling])
