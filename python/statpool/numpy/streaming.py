"""Statistics of sequences that come in pieces, on NumPy arrays, without TensorFlow.

As `statpool.streaming`, which says what the functions and the state are.
"""

import numpy as np

from statpool import _arrays
from statpool._options import DEFAULT_STATISTICS, Options
from statpool._streaming_algebra import Algebra
from statpool._streaming_state import (
    Piece,
    State,
    check_mergeable,
    check_piece,
    piece_options,
    result_dtype,
)
from statpool.numpy._pooling import Pooling, dtype_of

__all__ = ["State", "init", "merge", "result", "update"]


class _Algebra(Algebra):
    where = staticmethod(np.where)
    maximum = staticmethod(np.maximum)
    absolute = staticmethod(np.abs)
    sqrt = staticmethod(np.sqrt)
    is_finite = staticmethod(np.isfinite)
    full = staticmethod(np.full)

    def constant(self, number, dtype):
        return np.dtype(dtype).type(number)

    def cast(self, array, dtype):
        return array.astype(dtype)

    def upper_half(self, array):
        bits = array.dtype.itemsize * 8
        integer = np.dtype(f"int{bits}").type
        mask = integer(-1 << (27 if bits == 64 else 12))
        return (np.asarray(array).view(integer) & mask).view(array.dtype)


_ALGEBRA = _Algebra()


def init(batch, channels, dtype="float32", *, sum_dtype="float64") -> State:
    """Returns the state before the first step; see `statpool.streaming.init`."""
    return _ALGEBRA.empty(batch, channels, dtype, sum_dtype)


def update(
    state,
    x,
    mask=None,
    lengths=None,
    *,
    data_format="channels_last",
    input_activation=None,
    negative_slope=0.2,
    instruction_set=None,
    num_threads=None,
) -> State:
    """Returns the state after a piece; see `statpool.streaming.update`.

    Args:
      state: A state.
      x: The piece, as `statpool.numpy.global_stats` takes it.
      mask: As there, like all that follow.
      lengths: As there.
      data_format: As there.
      input_activation: As there.
      negative_slope: As there.
      instruction_set: As there.
      num_threads: As there.

    Raises:
      ValueError: if an argument breaks a rule.
      statpool.NativeLibraryError: if the native library isn't built.
    """
    options = piece_options(data_format, input_activation, negative_slope)
    x, mask, lengths = _arrays.check(x, mask, lengths, options)
    check_piece(state, x.shape[0], x.shape[options.channel], x.dtype)
    pooling = Pooling(x, mask, lengths, options)
    _, saved = pooling.forward(instruction_set, num_threads)
    valid = _arrays.valid_steps(len(x), x.shape[options.time], mask, lengths)
    piece = Piece(*np.moveaxis(saved, 1, 0))
    count = valid.sum(axis=1, dtype=np.int64)
    with np.errstate(all="ignore"):  # Inf and NaN, as in sums of floats
        return _ALGEBRA.merged(state, _ALGEBRA.of_piece(count, piece, state.sum.dtype))


def merge(a, b) -> State:
    """Returns the state of the steps of both; see `statpool.streaming.merge`."""
    check_mergeable(a, b)
    with np.errstate(all="ignore"):
        return _ALGEBRA.merged(a, b)


def result(
    state,
    statistics=DEFAULT_STATISTICS,
    epsilon=1e-12,
    *,
    correction=0,
    output_dtype=None,
) -> np.ndarray:
    """Returns the statistics `[B, S * C]`; see `statpool.streaming.result`."""
    options = Options.check(statistics, epsilon, correction=correction)
    dtype = dtype_of(result_dtype(state, output_dtype))
    with np.errstate(all="ignore"):
        values = _ALGEBRA.statistics(state, options)
        return np.concatenate(values, axis=1).astype(dtype)
