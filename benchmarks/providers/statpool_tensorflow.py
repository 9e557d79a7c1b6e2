"""statpool in TensorFlow: the native op, and its composite of stock ops."""

import functools

from benchmarks import cases
from benchmarks.providers.provider import Provider


def _pool(x, mask, axis, implementation):
    import statpool

    return statpool.global_stats(
        x,
        mask,
        statistics=cases.STATISTICS,
        epsilon=cases.EPSILON,
        data_format="channels_last" if axis == 1 else "channels_first",
        implementation=implementation,
    )


def _provider(name: str, implementation: str, compiled: bool) -> Provider:
    pool = functools.partial(_pool, implementation=implementation)
    pooling = "statpool" if implementation == "native" else implementation
    return Provider(
        name,
        pool,
        compiled=compiled,
        everywhere=implementation == "native",
        audio_pooling=pooling,
        ours=True,
    )


PROVIDERS = (
    _provider("statpool composite", "composite", compiled=False),
    _provider("statpool composite XLA", "composite", compiled=True),
    _provider("statpool", "native", compiled=False),
    _provider("statpool XLA", "native", compiled=True),
)
