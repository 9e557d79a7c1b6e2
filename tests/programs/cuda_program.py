"""Runs the CUDA kernels on a selection of cases, and prints the results as JSON.

It is a program because the emulator's switches are environment variables, PTXSIM_...
It takes the names of dtypes and prints the hash of each result; with --deviations it
prints the values of mean and std, and their gradients.
"""

import hashlib
import json
import sys

from tests.support import cuda_launchers
from tests.support.cases import DTYPES, FORMATS, Case
from tests.support.exact import STATISTICS

# [B, T, C] around what a vector, a warp, a block and a split of time hold.
SIZES = [(2, 9, 5), (3, 33, 20), (2, 17, 132), (9, 8, 16)]
# On one multiprocessor each thread has several chunks of valid rows, and in
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


def results(cuda, case, statistics, multiprocessors=0, **options):
    """The values and the gradient of a case."""
    arguments = case.x(), case.mask(), case.lengths()
    options |= {**case.options(statistics), "multiprocessors": multiprocessors}
    with cuda_launchers.Pooling(cuda, *arguments, **options) as pooling:
        return pooling.forward(), pooling.gradient(case.upstream(statistics))


def digests(cuda, dtypes=DTYPES):
    """The bits of all results: a call -> their hash."""
    return {
        f"{call[0]} {'-'.join(call[1])}": _digest(results(cuda, *call))
        for dtype in dtypes
        for call in calls(dtype)
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
