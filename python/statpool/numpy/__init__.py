"""The C++ kernels on NumPy arrays, without TensorFlow.

For checking results, for feature extraction outside a model, and for forcing an
instruction set in tests.
"""

from typing import Unpack

import numpy as np

from statpool import _arrays, _inputs, _native
from statpool._options import OptionArguments, Options
from statpool.numpy import streaming as streaming
from statpool.numpy._pooling import Pooling


def global_stats(
    x,
    mask=None,
    lengths=None,
    *,
    instruction_set=None,
    num_threads=None,
    **options: Unpack[OptionArguments],
) -> np.ndarray:
    """Pools statistics over time; arguments and result as `statpool.global_stats`.

    Args:
      x: `[B, T, C]` or `[B, C, T]`; float16, ml_dtypes.bfloat16, float32 or float64.
        Copied first unless it is C-contiguous, aligned and of this byte order.
      mask: Optional bool `[B, T]`.
      lengths: Optional int32 or int64 `[B]`.
      instruction_set: One of `instruction_sets()`, None for the best. Results don't
        depend on it.
      num_threads: Most threads to use, None for all cores. Results don't depend on it.
      **options: statistics, epsilon, data_format, keepdims and output_dtype, as in
        `statpool.global_stats`.

    Returns:
      `[B, S * C]`, with keepdims `[B, 1, S * C]` or `[B, S * C, 1]`.

    Raises:
      ValueError: if an argument breaks a rule.
      statpool.NativeLibraryError: if the native library isn't built.
    """
    pooling = Pooling(x, mask, lengths, Options.check(**options))
    y, _ = pooling.forward(instruction_set, num_threads)
    return y.reshape(pooling.output_shape)


def global_stats_gradient(
    x,
    upstream,
    mask=None,
    lengths=None,
    *,
    instruction_set=None,
    num_threads=None,
    **options: Unpack[OptionArguments],
) -> np.ndarray:
    """Gradient of `sum(upstream * global_stats(x, ...))` with respect to x.

    Args:
      x: As `global_stats`.
      upstream: Of the shape and dtype of the output.
      mask: As `global_stats`, like all that follow.
      lengths: As `global_stats`.
      instruction_set: As `global_stats`.
      num_threads: As `global_stats`.
      **options: As `global_stats`.

    Returns:
      An array of the shape and dtype of x.

    Raises:
      ValueError: if an argument breaks a rule.
      statpool.NativeLibraryError: if the native library isn't built.
    """
    pooling = Pooling(x, mask, lengths, Options.check(**options))
    upstream = _arrays.native(upstream)
    _inputs.check_upstream_dtype(upstream.dtype, pooling.output_dtype)
    _inputs.check_upstream_shape(upstream.shape, pooling.output_shape)
    return pooling.gradient(upstream, instruction_set, num_threads)


def instruction_sets() -> tuple[str, ...]:
    """Returns the instruction sets that this processor can run, best first."""
    return tuple(_native.core().instruction_sets())
