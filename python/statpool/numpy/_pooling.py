"""One call of the C++ core on NumPy arrays."""

import operator
import os

import numpy as np

from statpool import _arrays, _native


class Pooling:
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
        self.output_dtype = dtype_of(options.result_dtype(x.dtype))

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


def dtype_of(name):
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
