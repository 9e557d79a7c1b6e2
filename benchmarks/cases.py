"""What is measured: shapes, dtypes, layouts, masks and cache states.

A `Case` is one input, a `Cell` one thing to do with it. The lists below are the grid.
"""

import dataclasses
import functools
import itertools

import ml_dtypes
import numpy as np

FORWARD = "forward"
BACKWARD = "backward"
FORWARD_BACKWARD = "forward+backward"
TRAIN_AUDIO = "train audio classifier"
TRAIN_POOLING = "train pooling-heavy model"

DTYPES = ("float32", "float16", "bfloat16", "float64")
STATISTICS = ("mean", "max", "l2")
EPSILON = 1e-12
SECTOR = 32  # bytes: the least that comes from the memory of a GPU

AFTER_POOLING = (32, 80, 20)  # The question's shape where it pools over time
BEFORE_POOLING = (16, 2580, 128)  # and its spectrogram.
LARGE = (64, 1500, 512)
LONG = (1, 10**6, 64)
SHAPES = (
    AFTER_POOLING,
    BEFORE_POOLING,
    (64, 35, 512),
    LARGE,
    LONG,
    (256, 16, 2048),
    (7, 333, 33),
    (1, 1, 1),
)
LAYOUT_SHAPES = (AFTER_POOLING, (7, 333, 33), BEFORE_POOLING, LARGE)
COLD_SHAPES = (AFTER_POOLING, (7, 333, 33), (64, 35, 512))
TIME_SWEEP = tuple((16, time, 128) for time in (1, 10, 100, 1_000, 10_000))
CHANNEL_SWEEP = tuple((16, 300, channels) for channels in (1, 8, 64, 512, 2048))


@dataclasses.dataclass(frozen=True)
class Case:
    """One input, `[B, T, C]`."""

    batch: int
    time: int
    channels: int
    dtype: str = "float32"  # of x
    layout: str = "channels_last"  # or "channels_first"
    masked: float = 0.0  # share of the steps that a mask leaves out; 0: no mask
    cache: str = "warm"  # or "cold", for an input that the caches have lost

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of x."""
        if self.layout == "channels_first":
            return (self.batch, self.channels, self.time)
        return (self.batch, self.time, self.channels)

    @property
    def time_axis(self) -> int:
        """Axis of x that is pooled."""
        return 2 if self.layout == "channels_first" else 1

    @property
    def kept_steps(self) -> int:
        """Steps per example that the mask keeps."""
        return self.time - round(self.masked * self.time)

    def mask(self) -> np.ndarray | None:
        """What leaves out as many steps of each example, bool [B, T], or None."""
        if not self.masked:
            return None
        random = np.random.default_rng(1730).random((self.batch, self.time))
        return random.argsort(axis=1) < self.kept_steps

    # The least that any implementation could move: what a mask leaves out is not read,
    # but memory gives whole sectors; intermediate results cost nothing. So none can
    # exceed the memory's own speed.

    @property
    def input_bytes(self) -> int:
        """All of x, and all of its gradient."""
        return self.batch * self.time * self.channels * self._item_size

    @functools.cached_property
    def read_bytes(self) -> int:
        """The sectors of x that hold a step that counts, or a part of one.

        Counted by the mask itself, for x that begins with a sector.
        """
        if not self.masked:
            return self.input_bytes
        axis = 1 if self.layout == "channels_first" else 2
        counts = np.repeat(np.expand_dims(self.mask(), axis), self.channels, axis)
        items = SECTOR // self._item_size
        starts = np.arange(0, counts.size, items)
        sectors = np.logical_or.reduceat(counts.ravel(), starts)
        return min(int(sectors.sum()) * SECTOR, self.input_bytes)

    def moved_bytes(self, mode: str, statistics: int = len(STATISTICS)) -> int:
        """Bytes that a call has to move; 0 for a training step, which does more.

        forward: x and mask read, y written. backward: x, mask and the upstream gradient
        read, the gradient of x written. forward+backward: the sum of both.
        """
        output = self.batch * self.channels * statistics * self._item_size
        mask = self.batch * self.time if self.masked else 0
        read = self.read_bytes + mask + output
        return {
            FORWARD: read,
            BACKWARD: read + self.input_bytes,
            FORWARD_BACKWARD: 2 * read + self.input_bytes,
        }.get(mode, 0)

    @property
    def _item_size(self) -> int:
        return numpy_dtype(self.dtype).itemsize

    @property
    def label(self) -> str:
        """Short name, e.g. "32x80x20 float32"."""
        parts = [f"{self.batch}x{self.time}x{self.channels}", self.dtype]
        if self.layout != "channels_last":
            parts.append(self.layout)
        if self.masked:
            parts.append(f"{self.masked:.0%} masked")
        if self.cache != "warm":
            parts.append(self.cache)
        return " ".join(parts)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One thing to measure.

    "graph" dispatches many calls inside one graph, "call" one call from Python, "core"
    the C++ core without TensorFlow, "step" a training step.
    """

    mode: str
    dispatch: str
    case: Case

    @property
    def label(self) -> str:
        """Name of the cell, what `--filter` searches."""
        return f"{self.mode} {self.dispatch} {self.case.label}"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The numbers of a case, the same for every provider.

    Attributes:
        x: Values; channel 0 of example 0 is silent, as after a ReLU that never fired.
        upstream: Gradient that comes back to the output, [B, 3 C].
        mask: bool [B, T], or None.
    """

    x: np.ndarray
    upstream: np.ndarray
    mask: np.ndarray | None


def numpy_dtype(name: str) -> np.dtype:
    """The dtype of that name, bfloat16 included."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def make_inputs(case: Case, statistics: int = len(STATISTICS)) -> Inputs:
    """Draws the numbers of a case."""
    generator = np.random.default_rng(1729)

    def normal(shape):
        values = generator.standard_normal(shape, np.float32)
        return values.astype(numpy_dtype(case.dtype), copy=False)

    x = normal(case.shape)
    silent = x[0, 0, :] if case.layout == "channels_first" else x[0, :, 0]
    silent[:] = 0
    upstream = normal((case.batch, statistics * case.channels))
    return Inputs(x, upstream, case.mask())


def _cells(modes, dispatch, cases) -> list[Cell]:
    return [
        Cell(mode, dispatch, case) for case, mode in itertools.product(cases, modes)
    ]


def full_cells() -> list[Cell]:
    """The cells of `make bench`."""
    modes = (FORWARD, FORWARD_BACKWARD)
    grid = [Case(*shape, dtype) for dtype in DTYPES for shape in SHAPES]
    first = [Case(*shape, layout="channels_first") for shape in LAYOUT_SHAPES]
    masked = [Case(*shape, masked=0.3) for shape in LAYOUT_SHAPES]
    core = [Case(*LARGE, dtype) for dtype in DTYPES] + [Case(*LONG)]
    return _without_repeats(
        [
            *_cells(modes, "graph", grid),
            *_cells(modes, "graph", first + masked),
            *_cells((FORWARD, BACKWARD), "core", core),
            *_cells((FORWARD_BACKWARD,), "graph", map(_case, TIME_SWEEP)),
            *_cells((FORWARD_BACKWARD,), "graph", map(_case, CHANNEL_SWEEP)),
            *_cells(modes, "call", map(_case, SHAPES)),
            *_cells(modes, "call", [Case(*s, cache="cold") for s in COLD_SHAPES]),
            *training_cells(),
        ]
    )


def quick_cells() -> list[Cell]:
    """The cells of `make bench-quick`."""
    modes = (FORWARD, FORWARD_BACKWARD)
    shapes = (AFTER_POOLING, BEFORE_POOLING, (64, 35, 512))
    return [
        *_cells(modes, "graph", map(_case, shapes)),
        *_cells((FORWARD_BACKWARD,), "graph", map(_case, ((7, 333, 33), LARGE))),
        *_cells((FORWARD_BACKWARD,), "graph", [Case(64, 35, 512, "bfloat16")]),
        *_cells((FORWARD_BACKWARD,), "graph", [Case(64, 35, 512, masked=0.3)]),
        *_cells((FORWARD, BACKWARD), "core", [Case(*LARGE)]),
        *_cells((FORWARD_BACKWARD,), "call", [Case(*AFTER_POOLING)]),
        *training_cells()[:1],
    ]


def training_cells() -> list[Cell]:
    """Training steps; the case is the input of the pooling inside the model."""
    return [
        Cell(TRAIN_AUDIO, "step", Case(*AFTER_POOLING)),
        Cell(TRAIN_POOLING, "step", Case(16, 1500, 256)),
    ]


def _case(shape) -> Case:
    return Case(*shape)


def _without_repeats(cells) -> list[Cell]:
    return list(dict.fromkeys(cells))
