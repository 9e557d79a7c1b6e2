"""Runs the CUDA kernels on a selection of cases, and prints what came out as JSON.

A program of its own, for the emulator's switches (`PTXSIM_...`) are of the environment.
Takes the names of the dtypes to run; with --deviations it prints the values of mean and
std, and their gradients.
"""

import hashlib
import json
import sys

from tests.support import cuda_launchers
from tests.support.cases import DTYPES, FORMATS, Case
from tests.support.exact import STATISTICS

# [B, T, C] around what a vector, a warp, a block and a split of time hold.
SIZES = [(2, 9, 5), (3, 33, 20), (2, 17, 132), (9, 8, 16)]
# On one multiprocessor each thread has several chunks of rows that all count, and in
# channels_first a first row that is cut.
DENSE = (3, 701, 40)
SPLIT = {"channels_last": (1, 12_800, 8), "channels_first": (1, 120_000, 1)}
PADDINGS = ("none", "mask", "lengths", "both")
DEFAULT = ("mean", "max", "l2")
DEVIATIONS = ("mean", "std")


def calls(dtype):
    """Every layout with every padding: cases, statistics, multiprocessors or 0."""
    for layout in FORMATS:
        for i, padding in enumerate(PADDINGS):
            ties = Case(*SIZES[i], dtype, "ties", padding, data_format=layout)
            yield ties, DEFAULT, 0
            normal = Case(*SIZES[i - 1], dtype, "normal", padding, data_format=layout)
            yield normal, STATISTICS, 0
        dense = Case(*DENSE, dtype, data_format=layout)
        yield dense, DEFAULT, 1
        yield dense, STATISTICS, 1
        split = Case(*SPLIT[layout], dtype, padding="both", data_format=layout)
        yield split, DEFAULT, 0
        yield split, STATISTICS, 0


def results(cuda, case, statistics, multiprocessors):
    """The values and the gradient of a case."""
    padding = case.mask(), case.lengths()
    options = {**case.options(statistics), "multiprocessors": multiprocessors}
    with cuda_launchers.Pooling(cuda, case.x(), *padding, **options) as pooling:
        return pooling.forward(), pooling.gradient(case.upstream(statistics))


def digests(cuda, dtypes=DTYPES):
    """The bits of all results: a call -> their hash."""
    return {
        f"{case} {'-'.join(statistics)}": _digest(
            results(cuda, case, statistics, count)
        )
        for dtype in dtypes
        for case, statistics, count in calls(dtype)
    }


def deviation_cases(dtype):
    """Calls of mean and std: short and long, with and without padding."""
    for layout in FORMATS:
        for size, padding in ((SIZES[1], "none"), (SIZES[1], "both"), (DENSE, "none")):
            yield Case(*size, dtype, padding=padding, data_format=layout)


def deviations(cuda, dtypes):
    """Values and gradients of mean and std, as lists."""
    return [
        [array.astype(float).tolist() for array in results(cuda, case, DEVIATIONS, 1)]
        for dtype in dtypes
        for case in deviation_cases(dtype)
    ]


def _digest(arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


if __name__ == "__main__":
    names = sys.argv[1:]
    run = deviations if names[0] == "--deviations" else digests
    names = [name for name in names if not name.startswith("--")]
    print(json.dumps(run(cuda_launchers.load(), names)))
