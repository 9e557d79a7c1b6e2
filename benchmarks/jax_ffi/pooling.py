"""The kernels in JAX programs: the handlers that TensorFlow's XLA runs, by its FFI.

An instrument of the benchmarks, which pass right float inputs and want the default
statistics.
"""

import ctypes
import functools
from pathlib import Path

import jax
import numpy as np

import statpool
from benchmarks import cases
from statpool import _native

LIBRARY = Path(__file__).parents[2] / "build" / "jax" / "libstatpool_jax.so"
_FORWARD, _GRADIENT = "statpool.global_stats", "statpool.global_stats_gradient"


@functools.cache
def _register():
    """Loads the handlers and tells JAX of them; CMake's target statpool_jax."""
    library = ctypes.CDLL(str(LIBRARY))
    library.StatpoolFindHandler.restype = ctypes.c_void_p
    for target in (_FORWARD, _GRADIENT):
        for platform, name in (("Host", "cpu"), ("CUDA", "CUDA")):
            handler = library.StatpoolFindHandler(f"{target} {platform}".encode())
            if handler is not None:
                capsule = jax.ffi.pycapsule(ctypes.c_void_p(handler))
                jax.ffi.register_ffi_target(target, capsule, platform=name)


def global_stats(x, mask, axis, input_activation=None):
    """Mean, max and norm over `axis` of x, 1 or 2: [B, 3 C] in the dtype of x."""
    return _differentiable(axis, input_activation)(x, *([] if mask is None else [mask]))


@functools.cache
def _differentiable(axis, input_activation):
    """The function for one layout and activation, as JAX differentiates it."""
    _register()
    core, names = _native.core(), cases.STATISTICS
    attributes = {
        "layout": np.int32(axis == 2),
        "epsilon": np.float64(cases.EPSILON),
        "activation": np.int32([None, "relu"].index(input_activation)),
        "negative_slope": np.float64(1),
        "statistics": np.array([core.statistics().index(n) for n in names], np.int32),
    }

    @jax.custom_vjp
    def pool(x, *mask):
        return forward(x, *mask)[0]

    def forward(x, *mask):
        batch, channels = x.shape[0], x.shape[3 - axis]
        compute = np.float64 if x.dtype == np.float64 else np.float32
        saved = _shape((batch, core.saved_plane_count(names), channels), compute)
        results = [_shape((batch, len(names) * channels), x.dtype), saved]
        if jax.default_backend() == "cpu":  # on "CUDA" the handler asks XLA itself
            layout = "channels_first" if axis == 2 else "channels_last"
            how = {"statistics": names, "data_format": layout}
            plan = statpool.cpu_plan(x.shape, x.dtype.name, **how)
            if workspace := plan["workspace_bytes"]:
                results.append(_shape((workspace,), np.uint8))
        y, saved, *_ = jax.ffi.ffi_call(_FORWARD, results)(x, *mask, **attributes)
        return y, (x, saved, mask)

    def backward(kept, upstream):
        x, saved, mask = kept
        run = jax.ffi.ffi_call(_GRADIENT, _shape(x.shape, x.dtype))
        return run(upstream, x, saved, *mask, **attributes), *[None for _ in mask]

    pool.defvjp(forward, backward)
    return pool


def _shape(shape, dtype):
    return jax.ShapeDtypeStruct(tuple(shape), dtype)
