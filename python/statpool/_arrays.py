"""The inputs of a call as NumPy arrays, checked."""

import numpy as np

from statpool import _inputs


def native(array):
    """Returns an array in this machine's byte order; files of others bring theirs."""
    array = np.asarray(array)
    if array.dtype.isnative:
        return array
    return array.astype(array.dtype.newbyteorder("="))


def check(x, mask, lengths, options):
    """Returns x, a bool mask and lengths `[B]`, whose values are not looked at.

    Raises:
      ValueError: if a dtype or shape breaks a rule.
    """
    x = native(x)
    mask = None if mask is None else np.asarray(mask)
    lengths = None if lengths is None else np.asarray(lengths)
    options.result_dtype(x.dtype)
    if mask is not None:
        _inputs.check_mask_dtype(mask.dtype)
    if lengths is not None:
        _inputs.check_lengths_dtype(lengths.dtype)
    shapes = [None if array is None else array.shape for array in (x, mask, lengths)]
    _inputs.check_shapes(*shapes, options.data_format)
    return (
        x,
        None if mask is None else as_bool(mask),
        None if lengths is None else lengths.reshape(-1),
    )


def dtype_of(array):
    """Returns the dtype of an array or tensor of any kind, or of a list."""
    return array.dtype if hasattr(array, "dtype") else np.asarray(array).dtype


def as_bool(mask):
    """Returns a mask of True and False, or of 1 and 0, as bool."""
    if mask.dtype == bool:
        return mask
    keep = mask.astype(bool)
    other = mask[keep & (mask != 1)]
    if other.size:
        raise ValueError(
            f"mask must be True and False, or 1 and 0, got {other[0]}; convert it, for "
            "example mask != 0"
        )
    return keep


def valid_steps(batch, time, mask, lengths) -> np.ndarray:
    """Returns which steps count, `[B, T]`: those that mask and lengths both allow."""
    valid = np.ones((batch, time), bool)
    if mask is not None:
        valid &= mask
    if lengths is not None:
        _inputs.check_lengths_range(lengths, time)
        valid &= np.arange(time) < lengths[:, np.newaxis]
    return valid
