"""Runs the CUDA launchers over every path, for compute-sanitizer to watch.

`make gpu` calls it, once for each tool. Needs a GPU, and no TensorFlow.
"""

import sys

import numpy as np

from tests.support import cuda_launchers
from tests.support.cases import DTYPES, FORMATS, Case

# Folded, whole and tiled rows; odd channels; time split and not; one step and none.
SIZES = [(2, 17, 5), (3, 9, 64), (2, 33, 513), (1, 20_000, 3), (2, 1, 4), (2, 0, 4)]
PADDINGS = ("none", "mask", "lengths", "both")
SELECTIONS = (("mean", "max", "l2"), ("std", "min", "rms"))


def main():
    """Runs every case; fails where a result isn't finite."""
    cuda = cuda_launchers.load()
    if cuda.is_emulated:
        sys.exit("compute-sanitizer watches a GPU: there is none here")
    calls = 0
    for dtype in DTYPES:
        for data_format in FORMATS:
            for i, size in enumerate(SIZES):
                padding = PADDINGS[i % len(PADDINGS)]
                for offset in (0, 8):  # bytes: aligned to vectors, and not
                    case = Case(*size, dtype, padding=padding, data_format=data_format)
                    for selection in SELECTIONS:
                        run(cuda, case, selection, offset)
                        calls += 1
    print(f"{calls} forward and gradient passes")


def run(cuda, case, selection, offset):
    """One forward pass and its gradient."""
    arguments = case.x(), case.mask(), case.lengths()
    options = case.options(selection)
    with cuda_launchers.Pooling(cuda, *arguments, **options, offset=offset) as pooling:
        values = pooling.forward()
        gradient = pooling.gradient(case.upstream(selection))
    assert np.isfinite(values.astype(float)).all(), case
    assert np.isfinite(gradient.astype(float)).all(), case


if __name__ == "__main__":
    main()
