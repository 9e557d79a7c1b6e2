"""The numbers that go into a case: the same for every provider, from one seed."""

import dataclasses

import ml_dtypes
import numpy as np

from benchmarks import cases

_SEED = 1729


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Arrays of one case.

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


def make_inputs(case: cases.Case) -> Inputs:
    """Draws the numbers of a case."""
    generator = np.random.default_rng(_SEED)
    dtype = numpy_dtype(case.dtype)
    x = generator.standard_normal(case.shape, np.float32).astype(dtype, copy=False)
    silent = x[0, 0, :] if case.layout == "channels_first" else x[0, :, 0]
    silent[:] = 0
    outputs = (case.batch, len(cases.STATISTICS) * case.channels)
    upstream = generator.standard_normal(outputs, np.float32).astype(dtype, copy=False)
    return Inputs(x, upstream, _mask(case, generator) if case.masked else None)


def _mask(case: cases.Case, generator: np.random.Generator) -> np.ndarray:
    """Leaves out the same number of steps in every example, at random places."""
    order = generator.random((case.batch, case.time)).argsort(axis=1)
    return order < case.kept_steps
