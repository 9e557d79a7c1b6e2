"""The C++ kernels on NumPy arrays, without TensorFlow.

For checking results, for feature extraction outside a model, and for forcing an
instruction set in tests.
"""

import os

import numpy as np

from statpool import _arguments, _library


def global_stats(
    x,
    mask=None,
    lengths=None,
    *,
    statistics=_arguments.DEFAULT_STATISTICS,
    epsilon=1e-12,
    data_format="channels_last",
    keepdims=False,
    output_dtype=None,
    instruction_set=None,
    num_threads=None,
) -> np.ndarray:
    """Pools statistics over time; arguments and result as `statpool.global_stats`.

    Args:
      x: `[B, T, C]` or `[B, C, T]`; float16, ml_dtypes.bfloat16, float32 or float64.
        Copied first unless it is C-contiguous and aligned.
      mask: Optional bool `[B, T]`.
      lengths: Optional int32 or int64 `[B]`.
      statistics: Names in output order.
      epsilon: Added below the root of l2, rms and std.
      data_format: "channels_last" or "channels_first".
      keepdims: Whether to keep the axis of time.
      output_dtype: None for that of x, or float32 for 16-bit x.
      instruction_set: One of `instruction_sets()`, None for the best. Results don't
        depend on it.
      num_threads: Most threads to use, None for all cores. Results don't depend on it.

    Returns:
      `[B, S * C]`, with keepdims `[B, 1, S * C]` or `[B, S * C, 1]`.

    Raises:
      ValueError: if an argument breaks a rule.
      statpool.NativeLibraryError: if the native library isn't built.
    """
    pooling = _Pooling(
        x, mask, lengths, statistics, epsilon, data_format, keepdims, output_dtype
    )
    y, _ = pooling.forward(instruction_set, num_threads)
    return y.reshape(pooling.output_shape)


def global_stats_gradient(
    x,
    upstream,
    mask=None,
    lengths=None,
    *,
    statistics=_arguments.DEFAULT_STATISTICS,
    epsilon=1e-12,
    data_format="channels_last",
    keepdims=False,
    output_dtype=None,
    instruction_set=None,
    num_threads=None,
) -> np.ndarray:
    """Gradient of `sum(upstream * global_stats(x, ...))` with respect to x.

    Args:
      x: As `global_stats`.
      upstream: Of the shape and dtype of the output.
      mask: As `global_stats`, like all that follow.
      lengths: As `global_stats`.
      statistics: As `global_stats`.
      epsilon: As `global_stats`.
      data_format: As `global_stats`.
      keepdims: As `global_stats`.
      output_dtype: As `global_stats`.
      instruction_set: As `global_stats`.
      num_threads: As `global_stats`.

    Returns:
      An array of the shape and dtype of x.

    Raises:
      ValueError: if an argument breaks a rule.
      statpool.NativeLibraryError: if the native library isn't built.
    """
    pooling = _Pooling(
        x, mask, lengths, statistics, epsilon, data_format, keepdims, output_dtype
    )
    upstream = np.asarray(upstream)
    _arguments.check_upstream_dtype(upstream.dtype, pooling.output_dtype)
    _arguments.check_upstream_shape(upstream.shape, pooling.output_shape)
    return pooling.gradient(upstream, instruction_set, num_threads)


def instruction_sets() -> tuple[str, ...]:
    """Returns the instruction sets that this processor can run, best first."""
    return tuple(_library.core().instruction_sets())


def streaming_read(array, num_threads=None) -> int:
    """Reads an array once with all its bandwidth; returns a sum of its words."""
    return _library.core().streaming_read(array, _threads(num_threads))


def streaming_copy(to, array, num_threads=None) -> None:
    """Copies an array into another of its shape, with stores around the caches."""
    _library.core().streaming_copy(to, array, _threads(num_threads))


class _Pooling:
    """The checked arguments of one call."""

    def __init__(
        self, x, mask, lengths, statistics, epsilon, data_format, keepdims, output_dtype
    ):
        x = np.asarray(x)
        self._statistics = _arguments.check_statistics(statistics)
        data_format = _arguments.check_data_format(data_format)
        self.output_dtype = _dtype(_arguments.check_output_dtype(x.dtype, output_dtype))
        if mask is not None:
            mask = np.asarray(mask)
            _arguments.check_mask_dtype(mask.dtype)
            mask = _aligned(mask)
        if lengths is not None:
            lengths = np.asarray(lengths)
            _arguments.check_lengths_dtype(lengths.dtype)
            lengths = _aligned(lengths.astype(np.int64))
        shapes = [None if a is None else a.shape for a in (mask, lengths)]
        _arguments.check_shapes(x.shape, *shapes, data_format)
        self._x = _aligned(x)
        self._arguments = _library.core().PoolingArguments(
            self._x,
            mask,
            lengths,
            self._statistics,
            _arguments.check_epsilon(epsilon),
            data_format,
        )
        last = data_format == "channels_last"
        batch, self._channels = x.shape[0], x.shape[2 if last else 1]
        self._flat_shape = (batch, len(self._statistics) * self._channels)
        self.output_shape = self._flat_shape
        if _arguments.check_keepdims(keepdims):
            width = self._flat_shape[1]
            self.output_shape = (batch, 1, width) if last else (batch, width, 1)

    def forward(self, instruction_set, num_threads):
        core = _library.core()
        planes = core.saved_plane_count(self._statistics)
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
        _library.core().global_stats_gradient(
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
    if num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, got {num_threads}")
    return num_threads
