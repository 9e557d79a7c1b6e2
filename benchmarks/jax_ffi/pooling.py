"""The kernels in JAX programs: the handlers that TensorFlow's XLA runs, by its FFI.

An instrument of benchmarks and tests, which knows what they need: float inputs that are
right, and the default statistics.
"""

import ctypes
import functools
from pathlib import Path

import jax
import numpy as np

from benchmarks import cases, correctness  # noqa: F401, puts the tests on the path
from tests.support.native_call import NativeCall

LIBRARY = Path(__file__).parents[2] / "build" / "jax" / "libstatpool_jax.so"
_FORWARD, _GRADIENT = "statpool.global_stats", "statpool.global_stats_gradient"
_PLATFORMS = {"Host": "cpu", "CUDA": "CUDA"}


@functools.cache
def _library():
    """Loads the handlers and tells JAX of them.

    Raises:
      OSError: if they aren't built: target statpool_jax of CMake.
    """
    library = ctypes.CDLL(str(LIBRARY))
    library.StatpoolHandler.restype = ctypes.c_void_p
    library.StatpoolHostWorkspaceBytes.restype = ctypes.c_int64
    for target in (_FORWARD, _GRADIENT):
        for platform, name in _PLATFORMS.items():
            handler = library.StatpoolHandler(target.encode(), platform.encode())
            if handler is not None:
                capsule = jax.ffi.pycapsule(ctypes.c_void_p(handler))
                jax.ffi.register_ffi_target(target, capsule, platform=name)
    return library


def global_stats(x, mask, axis):
    """Mean, max and norm over `axis` of x, 1 or 2: [B, 3 C] in the dtype of x."""
    return _differentiable(axis)(x, *([] if mask is None else [mask]))


@functools.cache
def _differentiable(axis):
    """The function for one layout, as JAX differentiates it."""

    @jax.custom_vjp
    def pool(x, *mask):
        return _forward(x, *mask)[0]

    def forward(x, *mask):
        y, saved = _forward(x, *mask)
        return y, (x, saved, mask)

    def backward(kept, upstream):
        x, saved, mask = kept
        dx = jax.ffi.ffi_call(_GRADIENT, _shape(x.shape, x.dtype))(
            upstream, x, saved, *mask, **_attributes(_call(x, axis))
        )
        return (dx, *[None for _ in mask])

    def _forward(x, *mask):
        call = _call(x, axis)
        compute = np.float64 if x.dtype == np.float64 else np.float32
        planes = _library().StatpoolPlanes(ctypes.byref(call))
        results = [
            _shape(call.y_shape, x.dtype),
            _shape((call.batch, planes, call.channels), compute),
        ]
        workspace = _library().StatpoolHostWorkspaceBytes(ctypes.byref(call))
        if jax.default_backend() == "cpu" and workspace > 0:
            results.append(_shape((workspace,), np.uint8))
        return jax.ffi.ffi_call(_FORWARD, results)(x, *mask, **_attributes(call))[:2]

    pool.defvjp(forward, backward)
    return pool


def _call(x, axis):
    layout = "channels_last" if axis == 1 else "channels_first"
    return NativeCall.of(x, cases.STATISTICS, cases.EPSILON, layout)


def _attributes(call):
    return {
        "layout": np.int32(call.is_channels_first),
        "epsilon": np.float64(call.epsilon),
        "statistics": np.array(call.statistic[: call.statistics], np.int32),
    }


def _shape(shape, dtype):
    return jax.ShapeDtypeStruct(tuple(shape), dtype)
