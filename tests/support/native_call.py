"""A pooling call as the native test programs take it: tests/native/native_call.h."""

import ctypes

import numpy as np

from statpool._options import INPUT_ACTIVATIONS
from tests.support.cases import DTYPES, numpy_dtype
from tests.support.exact import STATISTICS


class NativeCall(ctypes.Structure):
    _fields_ = [
        ("batch", ctypes.c_int64),
        ("time", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("epsilon", ctypes.c_double),
        ("negative_slope", ctypes.c_double),
        ("activation", ctypes.c_int32),
        ("is_channels_first", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("out_dtype", ctypes.c_int32),
        ("statistics", ctypes.c_int32),
        ("statistic", ctypes.c_int32 * len(STATISTICS)),
    ]

    @classmethod
    def of(
        cls,
        x,
        statistics=("mean", "max", "l2"),
        epsilon=1e-12,
        data_format="channels_last",
        output_dtype=None,
        input_activation=None,
        negative_slope=0.2,
    ):
        first = data_format == "channels_first"
        axes = (0, 2, 1) if first else (0, 1, 2)
        batch, time, channels = (x.shape[axis] for axis in axes)
        numbers = [STATISTICS.index(name) for name in statistics]  # as core::Statistic
        return cls(
            batch=batch,
            time=time,
            channels=channels,
            epsilon=epsilon,
            negative_slope=negative_slope,
            activation=INPUT_ACTIVATIONS.index(input_activation),
            is_channels_first=first,
            dtype=DTYPES.index(x.dtype.name),
            out_dtype=DTYPES.index(np.dtype(output_dtype or x.dtype).name),
            statistics=len(numbers),
            statistic=tuple(numbers),
        )

    @property
    def output_dtype(self):
        return numpy_dtype(DTYPES[self.out_dtype])

    @property
    def y_shape(self):
        return self.batch, self.statistics * self.channels
