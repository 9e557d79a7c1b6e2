"""The C++ kernels on NumPy arrays, without TensorFlow.

For checking results, for feature extraction outside a model, and for forcing an
instruction set in tests.
"""

import operator
import os
from typing import Unpack

import numpy as np

from statpool import _arrays, _inputs, _native
from statpool._options import OptionArguments, Options


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
    pooling = _Pooling(x, mask, lengths, Options.check(**options))
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
    pooling = _Pooling(x, mask, lengths, Options.check(**options))
    upstream = _arrays.native(upstream)
    _inputs.check_upstream_dtype(upstream.dtype, pooling.output_dtype)
    _inputs.check_upstream_shape(upstream.shape, pooling.output_shape)
    return pooling.gradient(upstream, instruction_set, num_threads)


def instruction_sets() -> tuple[str, ...]:
    """Returns the instruction sets that this processor can run, best first."""
    return tuple(_native.core().instruction_sets())


class _Pooling:
    """One call: arrays as the kernels take them, and the shapes of its results."""

    def __init__(self, x, mask, lengths, options):
        x, mask, lengths = _arrays.check(x, mask, lengths, options)
        self._options = options
        self._x = _aligned(x)
        self._arguments = _native.core().PoolingArguments(
            self._x,
            None if mask is None else _aligned(mask),
            None if lengths is None else _aligned(lengths.astype(np.int64)),
            options.kernel_statistics,
            options.epsilon,
            options.data_format,
            options.input_activation or "none",
            options.negative_slope,
        )
        batch, self._channels = x.shape[0], x.shape[options.channel]
        self._flat_shape = (batch, len(options.statistics) * self._channels)
        self.output_shape = options.output_shape(batch, self._channels)
        self.output_dtype = _dtype(options.result_dtype(x.dtype))

    def forward(self, instruction_set, num_threads):
        core = _native.core()
        planes = core.saved_plane_count(self._options.kernel_statistics)
        saved_dtype = np.float64 if self._x.dtype == np.float64 else np.float32
        y = np.empty(self._flat_shape, self.output_dtype)
        saved = np.empty((self._flat_shape[0], planes, self._channels), saved_dtype)
        core.global_stats(
            y, saved, self._arguments, instruction_set, _threads(num_threads)
        )
        return y, saved

    def gradient(self, upstream, instruction_set, num_threads):
        _, saved = self.forward(instruction_set, num_threads)
        dx = np.empty_like(self._x)
        _native.core().global_stats_gradient(
            dx,
            _aligned(upstream.reshape(self._flat_shape)),
            saved,
            self._arguments,
            instruction_set,
            _threads(num_threads),
        )
        return dx


def _aligned(array):
    return np.require(array, requirements=["C", "A"])


def _dtype(name):
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def _threads(num_threads) -> int:
    if num_threads is None:
        return len(os.sched_getaffinity(0))
    try:
        count = operator.index(num_threads)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(
            f"num_threads must be an integer of at least 1, got {num_threads!r}; pass "
            "None for all cores"
        )
    return count
