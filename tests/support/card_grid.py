"""The calls that the CUDA kernels are timed with on a card, as plain data.

The benchmarks measure them, and the tests of plans count what a card holds of them.
"""

import itertools
from typing import NamedTuple

from tests.support.cases import FORMATS

_DTYPES = ("float32", "float16", "bfloat16", "float64")
_DEFAULT, _DEVIATION = ("mean", "max", "l2"), ("mean", "std")
# Rows of whole vectors; long ones; few, odd and many channels; long batches.
_SHAPES = (
    (64, 1500, 512),
    (16, 2580, 128),
    (256, 16, 2048),
    (1, 100_000, 64),
    (64, 1500, 5),
    (512, 1000, 7),
    (4096, 50, 64),
)
_TINY_SHAPES = ((2, 40, 128), (1, 1300, 20), (3, 41, 5))
# What a call costs before it moves bytes.
_TIME_SWEEP = tuple((64, time, 512) for time in (8, 32, 128, 512))


class Call(NamedTuple):
    """One input `[B, T, C]`, and what is computed of it."""

    shape: tuple[int, int, int]
    dtype: str
    layout: str = "channels_last"
    masked: float = 0.0  # share of the steps
    statistics: tuple[str, ...] = _DEFAULT


def calls(is_tiny: bool) -> list[Call]:
    """Shapes, dtypes, layouts and masks, then deviations and short times."""
    shapes = _TINY_SHAPES if is_tiny else _SHAPES
    whole = itertools.product(shapes, _DTYPES, FORMATS, (0.0, 0.25))
    deviations = itertools.product(shapes[:2], _DTYPES, FORMATS, (0.0,), (_DEVIATION,))
    short = itertools.product(_TIME_SWEEP, ("float32", "bfloat16"))
    listed = [Call(*call) for call in (*whole, *deviations)]
    return listed if is_tiny else [*listed, *(Call(*call) for call in short)]
