"""Runs the CUDA launchers over every path, for compute-sanitizer to watch.

`make gpu` calls it, once for each tool. Needs a GPU, and no TensorFlow.
"""

import itertools
import sys

import numpy as np

from tests.programs.cuda_program import results
from tests.support import cuda_launchers
from tests.support.cases import DTYPES, FORMATS, Case

# Folded, whole and tiled rows; odd channels; time split and not; one step and none.
SIZES = [(2, 17, 5), (3, 9, 64), (2, 33, 513), (1, 20_000, 3), (2, 1, 4), (2, 0, 4)]
PADDINGS = ("none", "mask", "lengths", "both")
SELECTIONS = (("mean", "max", "l2"), ("std", "min", "rms"))


def main():
    """Runs every case; fails if a result isn't finite."""
    cuda = cuda_launchers.load()
    if cuda.is_emulated:
        sys.exit("compute-sanitizer watches a GPU: there is none here")
    calls = 0
    for dtype, data_format in itertools.product(DTYPES, FORMATS):
        for size, padding in zip(SIZES, itertools.cycle(PADDINGS), strict=False):
            case = Case(*size, dtype, padding=padding, data_format=data_format)
            for offset in (0, 8):  # bytes: aligned to vectors, and not
                for selection in SELECTIONS:
                    for result in results(cuda, case, selection, offset=offset):
                        assert np.isfinite(result.astype(float)).all(), case
                    calls += 1
    print(f"{calls} forward and gradient passes")


if __name__ == "__main__":
    main()
