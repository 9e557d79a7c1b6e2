"""The cells of `make bench` and `make bench-quick`, and a few tiny ones."""

import itertools
import re

from benchmarks.cases import BACKWARD, FORWARD, FORWARD_BACKWARD, STEPS, Case, Cell
from tests.support import card_grid

DTYPES = ("float32", "float16", "bfloat16", "float64")
AFTER_POOLING = (32, 80, 20)  # the question's shape where it pools over time
BEFORE_POOLING = (16, 2580, 128)  # and its spectrogram
LARGE, LONG = (64, 1500, 512), (1, 10**6, 64)
_ODD = (7, 333, 33)
_OTHERS = ((64, 35, 512), (256, 16, 2048), (1, 1, 1))
SHAPES = (AFTER_POOLING, BEFORE_POOLING, LARGE, LONG, _ODD, *_OTHERS)
_VARIED = (AFTER_POOLING, BEFORE_POOLING, LARGE, _ODD)  # layouts and masks
_BOTH = (FORWARD, FORWARD_BACKWARD)
_APART = (FORWARD, BACKWARD)
_QUICK = (
    r"^forward\S* graph (32x80x20|16x2580x128|64x35x512) float32$|"
    r"\+\S+ graph (7x333x33|64x1500x512) float32$|\+\S+ graph 64x1500x512 bfloat16$|"
    r"\+\S+ graph 7x333x33 float32 30% masked$|core 64x1500x512 float32$|"
    r"\+\S+ call 32x80x20 float32$"
)


def full() -> list[Cell]:
    """The cells of `make bench`; an engine takes those that it handles."""
    grid = [Case(*shape, dtype) for dtype in DTYPES for shape in SHAPES]
    first = [Case(*shape, layout="channels_first") for shape in _VARIED]
    masked = [Case(*shape, masked=0.3) for shape in _VARIED]
    core = [Case(*LARGE, dtype) for dtype in DTYPES] + [Case(*LONG)]
    small, large = Case(16, 500, 256), Case(*LARGE)
    halved = [Case(16, 500, 256, "bfloat16"), Case(*LARGE, "bfloat16")]
    speakers = [Case(8, 300, 256), Case(64, 300, 512), Case(64, 300, 1500)]
    return [
        *_cells(_BOTH, "graph", grid + first + masked),
        *_cells(_APART, "core", core),
        *_cells(_BOTH, "call", [Case(*shape) for shape in SHAPES]),
        *_cells(STEPS[:2], "step", [small, large, *halved]),
        *_cells(STEPS[2:], "step", speakers),
        *_kernels(is_tiny=False),
    ]


def quick() -> list[Cell]:
    """The cells of `make bench-quick`."""
    return [cell for cell in full() if re.search(_QUICK, cell.label)]


def tiny() -> list[Cell]:
    """Every engine's code, and the CUDA emulator's, in seconds; times mean little."""
    small = Case(3, 40, 16)
    return [
        *_cells(_BOTH, "call", [small, Case(3, 40, 16, masked=0.25)]),
        *_cells(_APART, "core", [small]),
        *_cells(STEPS, "step", [small]),
        *_kernels(is_tiny=True),
    ]


def _kernels(is_tiny) -> list[Cell]:
    """Each case once; the CUDA engine knows which statistics it is for."""
    calls = card_grid.calls(is_tiny)
    cases = [Case(*c.shape, c.dtype, c.layout, c.masked, "cold") for c in calls]
    return _cells(_APART, "kernel", dict.fromkeys(cases))


def _cells(modes, dispatch, cases) -> list[Cell]:
    pairs = itertools.product(cases, modes)
    return [Cell(mode, dispatch, case) for case, mode in pairs]
