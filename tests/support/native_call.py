"""A pooling call as the native test programs take it: tests/native/native_call.h."""

import ctypes

from statpool._options import INPUT_ACTIVATIONS, SAMPLE_STD, STATISTICS, Options
from tests.support.cases import DTYPES, numpy_dtype

KERNEL_STATISTICS = (*STATISTICS, SAMPLE_STD)  # as core::Statistic numbers them


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
        ("statistic", ctypes.c_int32 * len(KERNEL_STATISTICS)),
    ]

    @classmethod
    def of(cls, x, **options):
        options = Options.check(**options)
        axes = (0, options.time, options.channel)
        batch, time, channels = (x.shape[axis] for axis in axes)
        numbers = [KERNEL_STATISTICS.index(name) for name in options.kernel_statistics]
        return cls(
            batch=batch,
            time=time,
            channels=channels,
            epsilon=options.epsilon,
            negative_slope=options.negative_slope,
            activation=INPUT_ACTIVATIONS.index(options.input_activation),
            is_channels_first=options.data_format == "channels_first",
            dtype=DTYPES.index(x.dtype.name),
            out_dtype=DTYPES.index(options.result_dtype(x.dtype)),
            statistics=len(numbers),
            statistic=tuple(numbers),
        )

    @property
    def output_dtype(self):
        return numpy_dtype(DTYPES[self.out_dtype])

    @property
    def y_shape(self):
        return self.batch, self.statistics * self.channels
