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
    """Returns x, mask and lengths as arrays; the values of lengths are not looked at.

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
    return x, mask, lengths
