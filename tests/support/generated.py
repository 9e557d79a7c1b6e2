"""Generated inputs: shapes, dtypes, padding, strides and special values, all mixed."""

import dataclasses

import ml_dtypes
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from statpool._options import INPUT_ACTIVATIONS
from tests.support.cases import (
    DTYPES,
    FORMATS,
    Case,
    numpy_dtype,
    to_layout,
    valid_steps,
)
from tests.support.exact import STATISTICS


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """A generated input; to the checks it is a `cases.Case`."""

    values: np.ndarray  # [B, T, C] in its dtype
    keep: np.ndarray | None
    length: np.ndarray | None
    gradients: np.ndarray  # [B, 6 * C]
    epsilon: float
    data_format: str
    input_activation: str | None
    view: str

    options = Case.options
    activated = Case.activated
    time = property(lambda self: self.values.shape[1])
    dtype = property(lambda self: self.values.dtype.name)

    def x(self):
        return VIEWS[self.view](to_layout(self.values, self.data_format))

    def mask(self):
        return self.keep

    def lengths(self):
        return self.length

    def valid(self):
        return valid_steps(*self.values.shape[:2], self.keep, self.length)

    def upstream(self, statistics=STATISTICS):
        return self.gradients[:, : len(statistics) * self.values.shape[2]]


def _strided(x):
    """Every other element of an array twice as long."""
    wide = np.zeros((*x.shape[:2], 2 * x.shape[2]), x.dtype)
    wide[:, :, ::2] = x
    return wide[:, :, ::2]


def _unaligned(x):
    buffer = bytearray(1) + x.tobytes()
    return np.frombuffer(buffer, x.dtype, offset=1).reshape(x.shape)


VIEWS = {
    "contiguous": np.ascontiguousarray,
    "reversed": lambda x: np.ascontiguousarray(x[:, ::-1])[:, ::-1],
    "strided": _strided,
    "fortran": np.asfortranarray,
    "unaligned": _unaligned,
}


def _elements(dtype, huge, finite):
    """Numbers likely to tie, and those at the ends of the range."""
    info = ml_dtypes.finfo(dtype)
    special = [0.0, -0.0, 1.0, -1.0, 3.0, 0.1, info.eps, info.tiny, -info.tiny]
    special += [info.smallest_subnormal, -7 * float(info.smallest_subnormal)]
    special += [huge, -huge, 1 / huge]
    if not finite:
        special += [np.inf, -np.inf, np.nan]
    ordinary = st.floats(-100, 100, width=16)
    return st.sampled_from([float(s) for s in special]) | ordinary


@st.composite
def problems(draw, finite=True):
    """An input, its padding and its options."""
    dtype = draw(st.sampled_from(DTYPES))
    huge = {"float16": 3e4, "float64": 1e200}.get(dtype, 1e30)
    shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 9)))
    batch, time, channels = shape
    elements = _elements(dtype, huge, finite)
    x = draw(hnp.arrays(np.float64, shape, elements=elements))
    upstream = st.floats(-8, 8, width=16)
    size = (batch, len(STATISTICS) * channels)
    gradients = draw(hnp.arrays(np.float64, size, elements=upstream))
    lengths = hnp.arrays(np.int64, batch, elements=st.integers(0, time))
    return Generated(
        x.astype(numpy_dtype(dtype)),
        draw(st.none() | hnp.arrays(bool, (batch, time))),
        draw(st.none() | lengths),
        gradients.astype(numpy_dtype(dtype)),
        draw(st.sampled_from([0.0, 1e-12, 0.25])),
        draw(st.sampled_from(FORMATS)),
        draw(st.sampled_from(INPUT_ACTIVATIONS)),
        draw(st.sampled_from(sorted(VIEWS))),
    )
