"""The kernels in JAX programs: the handlers that TensorFlow's XLA runs, by its FFI.

An instrument of the benchmarks, which pass right float inputs and want the default
statistics.
"""

import ctypes
import functools
from pathlib import Path

import jax
import numpy as np

from benchmarks import cases
from tests.support.native_call import NativeCall

LIBRARY = Path(__file__).parents[2] / "build" / "jax" / "libstatpool_jax.so"
_FORWARD, _GRADIENT = "statpool.global_stats", "statpool.global_stats_gradient"


@functools.cache
def _library():
    """Loads the handlers and tells JAX of them; CMake's target statpool_jax."""
    library = ctypes.CDLL(str(LIBRARY))
    library.StatpoolHandler.restype = ctypes.c_void_p
    library.StatpoolHostWorkspaceBytes.restype = ctypes.c_int64
    for target in (_FORWARD, _GRADIENT):
        for platform, name in (("Host", "cpu"), ("CUDA", "CUDA")):
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
        return forward(x, *mask)[0]

    def forward(x, *mask):
        call = _call(x, axis)
        compute = np.float64 if x.dtype == np.float64 else np.float32
        planes = _library().StatpoolPlanes(ctypes.byref(call))
        saved = _shape((call.batch, planes, call.channels), compute)
        results = [_shape(call.y_shape, x.dtype), saved]
        workspace = _library().StatpoolHostWorkspaceBytes(ctypes.byref(call))
        if jax.default_backend() == "cpu" and workspace > 0:
            results.append(_shape((workspace,), np.uint8))
        run = jax.ffi.ffi_call(_FORWARD, results)
        y, saved, *_ = run(x, *mask, **_attributes(call))
        return y, (x, saved, mask)

    def backward(kept, upstream):
        x, saved, mask = kept
        run = jax.ffi.ffi_call(_GRADIENT, _shape(x.shape, x.dtype))
        dx = run(upstream, x, saved, *mask, **_attributes(_call(x, axis)))
        return (dx, *[None for _ in mask])

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
