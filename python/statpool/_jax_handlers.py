"""The handlers of statpool's kernels for XLA's FFI, loaded into JAX once."""

import ctypes
import functools

import jax
import jaxlib

from statpool import _native

LIBRARY = _native.FOLDER / "libstatpool_jax.so"
TARGETS = ("statpool.global_stats", "statpool.global_stats_gradient")

# XLA runs handlers of its own minor version of the FFI and of older ones; the first
# jaxlib that runs each. One that it doesn't know leaves JAX without any device.
_FIRST_JAXLIB = {1: (0, 4, 35), 2: (0, 8, 2), 3: (0, 9, 2)}


@functools.cache
def why_unavailable(platform) -> str | None:
    """Registers the handlers; returns why that can't be done, None if it is.

    Args:
      platform: "cpu" or "cuda".
    """
    try:
        _native.core()
        library = _library()
        needed = _FIRST_JAXLIB.get(library.StatpoolFfiMinorVersion())
        if needed is None or jaxlib.version.__version_info__ < needed:
            least = ".".join(map(str, needed)) if needed else "a newer one"
            return (
                f"the handlers for JAX must run in jaxlib {least} or newer, got "
                f"{jaxlib.version.__version__}; upgrade jax and jaxlib"
            )
        return _register(library, platform)
    except _native.NativeLibraryError as error:
        return str(error)


@functools.cache
def _library():
    cure = _native.rebuild("make clean build")
    if not LIBRARY.exists():
        raise _native.NativeLibraryError(
            "the handlers for JAX must be built, got a build without them; "
            f"{cure}; its output says why they are left out"
        )
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise _native.NativeLibraryError(
            f"the handlers for JAX must load, got '{error}'; {cure}"
        ) from error
    library.StatpoolFindHandler.restype = ctypes.c_void_p
    return library


def _register(library, platform) -> str | None:
    of_xla = {"cpu": "Host", "cuda": "CUDA"}[platform]
    for target in TARGETS:
        handler = library.StatpoolFindHandler(f"{target} {of_xla}".encode())
        if handler is None:
            return (
                "the native library must have GPU kernels to run on a GPU, got a build "
                "without CUDA; install the CUDA toolkit (nvcc) and "
                f"{_native.rebuild()}"
            )
        capsule = jax.ffi.pycapsule(ctypes.c_void_p(handler))
        jax.ffi.register_ffi_target(target, capsule, platform=platform)
        jax.ffi.register_ffi_target_as_batch_partitionable(target)
    return None
