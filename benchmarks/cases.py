"""What is measured: shapes, dtypes, layouts and masks.

A `Case` is one input, a `Cell` one thing to do with it; benchmarks/grid.py lists them.
"""

import dataclasses
import functools

import numpy as np

from tests.support.cases import numpy_dtype

FORWARD = "forward"
BACKWARD = "backward"
FORWARD_BACKWARD = "forward+backward"
# Training steps; docs/benchmarks.md says what is before the pooling.
STEPS = "train convolution", "train relu", "train x-vector"
TRAIN, TRAIN_RELU, TRAIN_XVECTOR = STEPS

STATISTICS = ("mean", "max", "l2")
EPSILON = 1e-12
SECTOR = 32  # bytes: the least that comes from the memory of a GPU
# From here on the dispatch of a call, some 0.1 ms, is nothing against the call itself.
_DISPATCH_IS_NEGLIGIBLE_FROM = 8 << 20  # bytes of x


@dataclasses.dataclass(frozen=True)
class Case:
    """One input, `[B, T, C]`."""

    batch: int
    time: int
    channels: int
    dtype: str = "float32"  # of x
    layout: str = "channels_last"  # or "channels_first"
    masked: float = 0.0  # share of the steps that a mask leaves out; 0: no mask
    cache: str = "warm"  # or "cold", for an input that is in no cache

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of x."""
        is_first = self.layout == "channels_first"
        axes = (self.channels, self.time) if is_first else (self.time, self.channels)
        return (self.batch, *axes)

    @property
    def time_axis(self) -> int:
        """Axis of x that is pooled."""
        return 2 if self.layout == "channels_first" else 1

    def mask(self) -> np.ndarray | None:
        """Leaves out as many steps of each example, bool [B, T]; None without one."""
        if not self.masked:
            return None
        random = np.random.default_rng(1730).random((self.batch, self.time))
        return random.argsort(axis=1) < self.time - round(self.masked * self.time)

    # The least that any implementation could move: steps that a mask leaves out are not
    # read, but memory gives whole sectors; intermediate results cost nothing. So no
    # call can exceed the memory's own speed.

    @property
    def input_bytes(self) -> int:
        """All of x, and all of its gradient."""
        return self.batch * self.time * self.channels * self._item_size

    @functools.cached_property
    def read_bytes(self) -> int:
        """The sectors of x that hold a valid step, or a part of one.

        Counted by the mask itself, for x that begins with a sector.
        """
        if not self.masked:
            return self.input_bytes
        axis = 1 if self.layout == "channels_first" else 2
        valid = np.repeat(np.expand_dims(self.mask(), axis), self.channels, axis)
        starts = np.arange(0, valid.size, SECTOR // self._item_size)
        sectors = np.logical_or.reduceat(valid.ravel(), starts)
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
        parts += [self.layout] * (self.layout != "channels_last")
        parts += [f"{self.masked:.0%} masked"] * (self.masked > 0)
        return " ".join(parts + [self.cache] * (self.cache != "warm"))


@dataclasses.dataclass(frozen=True)
class Cell:
    """One thing to measure.

    "graph" dispatches many calls inside one graph, "call" one call from Python, "core"
    calls the C++ core without TensorFlow, "kernel" a CUDA kernel alone, "step" a
    training step.
    """

    mode: str
    dispatch: str
    case: Case

    @property
    def label(self) -> str:
        """Name of the cell, which `--filter` searches."""
        return f"{self.mode} {self.dispatch} {self.case.label}"

    @property
    def in_loop(self) -> bool:
        """Whether it needs many calls in one graph to show the op alone."""
        small = self.case.input_bytes < _DISPATCH_IS_NEGLIGIBLE_FROM
        return self.dispatch == "graph" and small


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The numbers of a case, the same for every provider."""

    x: np.ndarray  # channel 0 of example 0 is silent, as after a ReLU that never fired
    upstream: np.ndarray  # gradient that comes back to the output, [B, 3 C]
    mask: np.ndarray | None  # bool [B, T]

    def for_statistics(self, count: int) -> "Inputs":
        """The same with an upstream gradient of so many statistics."""
        width = self.upstream.shape[1] // len(STATISTICS) * count
        return dataclasses.replace(self, upstream=self.upstream[:, :width])


def make_inputs(case: Case) -> Inputs:
    """Draws the numbers of a case."""
    generator = np.random.default_rng(1729)

    def normal(shape):
        values = generator.standard_normal(shape, np.float32)
        return values.astype(numpy_dtype(case.dtype), copy=False)

    x = normal(case.shape)
    silent = x[0, 0, :] if case.layout == "channels_first" else x[0, :, 0]
    silent[:] = 0
    upstream = normal((case.batch, len(STATISTICS) * case.channels))
    return Inputs(x, upstream, case.mask())
