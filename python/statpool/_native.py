"""Finds, checks and loads the native libraries, the first time that they are needed.

Importing this module loads nothing. The NumPy binding `statpool._core` carries the
stamp of the TensorFlow that all libraries were built for: it is compared before
TensorFlow's loader touches the other two, because a mismatch there ends in undefined
symbols or a crash.
"""

import functools
import sys
import threading
from pathlib import Path

OP_LIBRARY = Path(__file__).parent / "libstatpool.so"
XLA_LIBRARY = Path(__file__).parent / "libstatpool_xla.so"


# A server's first requests come at once: what they need is loaded by one of them.
_loading = threading.RLock()

# Whether this package stands in a checkout, whose `make` builds the libraries again.
_IS_CHECKOUT = (Path(__file__).parents[2] / "Makefile").exists()
_REINSTALL = (
    "install it again with 'pip install --no-build-isolation --no-cache-dir "
    "--force-reinstall --no-deps' and what you installed it from, in the environment "
    "that has TensorFlow"
)


def rebuild(command="make build") -> str:
    """Returns the cure for a library that must be built again.

    Args:
      command: What a contributor runs in the checkout.
    """
    return f"run '{command}'" if _IS_CHECKOUT else _REINSTALL


class NativeLibraryError(RuntimeError):
    """The native library can't be used; the message says why and what helps."""

    # AutoGraph raises errors anew of types that it knows how to make: by this one.
    __init__ = Exception.__init__


def _once(function):
    """Caches what a function without arguments returns; threads wait for the first."""
    cached = functools.cache(function)

    @functools.wraps(function)
    def call():
        with _loading:
            return cached()

    return call


@_once
def core():
    """Returns the module `statpool._core`, which needs no TensorFlow.

    Raises:
      NativeLibraryError: if it isn't built or doesn't load.
    """
    try:
        from statpool import _core
    except ImportError as error:
        raise NativeLibraryError(
            "the native library of statpool must be built for this Python, got "
            f"'{error}'; {rebuild()}"
        ) from error
    return _core


@_once
def ops():
    """Returns the module of raw TensorFlow ops, loaded and with gradients registered.

    The kernels inside XLA, where they are built, are loaded with it: auto-clustering
    asks for them when nobody of statpool is there to load them.

    Raises:
      NativeLibraryError: if it isn't built, is built for another TensorFlow or doesn't
        load.
    """
    import tensorflow as tf

    check_stamp(core().build_info(), tf.__version__, tf.sysconfig.CXX11_ABI_FLAG)
    library = _of_another_copy()
    try:
        library = library or tf.load_op_library(str(OP_LIBRARY))
    except (OSError, tf.errors.OpError) as error:
        raise NativeLibraryError(
            f"the op library must load into TensorFlow {tf.__version__}, got "
            f"'{error}'; {rebuild('make clean build')}"
        ) from error

    from statpool import _gradients, _vectorization

    _gradients.register(library)
    _vectorization.register()
    why_not_in_xla()
    return library


def _of_another_copy():
    """Returns the raw ops of a copy that is loaded already; None if there is none.

    A second one would leave TensorFlow with two kernels for each op, of which it calls
    neither.
    """
    if "CPU" not in _registered_devices():
        return None
    for module in list(sys.modules.values()):
        if "statpool_global_stats" in getattr(module, "__dict__", ()):
            return module
    raise NativeLibraryError(
        "the op library must be loaded by Python, got its op registered already by "
        "another copy of it; let tf.load_op_library load that one, before statpool is "
        "used"
    )


def load_library() -> None:
    """Registers the op with TensorFlow, as its first use does: once, from any thread.

    For what meets the op before statpool is used: `tf.saved_model.load`, a graph.

    Raises:
      NativeLibraryError: if it can't be loaded here, with the cure, as
        `python -m statpool doctor` says it.
    """
    ops()


def library_path() -> str:
    """Returns the path of the op library.

    For `tf.load_op_library` or the C API's `TF_LoadLibrary` in programs that can't
    import statpool: they can run its op, and not differentiate it.

    Raises:
      NativeLibraryError: if it isn't built.
    """
    if not OP_LIBRARY.exists():
        raise NativeLibraryError(
            f"the op library must be built, got no {OP_LIBRARY.name}; {rebuild()}"
        )
    return str(OP_LIBRARY)


@_once
def why_not_in_xla() -> str | None:
    """Loads the kernels inside XLA; returns why that can't be done, None if it is."""
    import tensorflow as tf

    if {"XLA_CPU_JIT", "XLA_GPU_JIT"} & _registered_devices():  # by another copy
        return None
    if not XLA_LIBRARY.exists():
        return core().build_info()["why_no_xla"] or (
            "statpool's kernels inside XLA must be built, got a build without them; "
            f"{rebuild('make clean build')}; its output says why they are left out"
        )
    try:
        tf.load_library(str(XLA_LIBRARY))
    except (OSError, tf.errors.OpError) as error:
        return (
            f"the XLA library must load into TensorFlow {tf.__version__}, got "
            f"'{error}'; {rebuild('make clean build')}"
        )
    return None


def check_stamp(build_info, tensorflow_version, cxx11_abi) -> None:
    """Checks that the library was built for the TensorFlow that is installed.

    Raises:
      NativeLibraryError: naming both versions and the cure.
    """
    built = (build_info["tensorflow"], str(build_info["cxx11_abi"]))
    installed = (tensorflow_version, str(cxx11_abi))
    if built != installed:
        raise NativeLibraryError(
            "the native library must be built for the TensorFlow that loads it, got "
            f"one for TensorFlow {built[0]} (C++11 ABI {built[1]}) under TensorFlow "
            f"{installed[0]} (C++11 ABI {installed[1]}); {rebuild()}"
        )


def devices() -> set[str]:
    """Returns the device types that the op has kernels for, such as {"CPU"}."""
    ops()
    return {device for device in _registered_devices() if "XLA" not in device}


def xla_devices() -> set[str]:
    """Returns the device types that XLA can compile the op for, such as {"CPU"}."""
    ops()
    compilers = {f"XLA_{device}_JIT": device for device in ("CPU", "GPU")}
    return {compilers[name] for name in _registered_devices() & set(compilers)}


def _registered_devices() -> set[str]:
    from tensorflow.python.framework import kernels

    found = kernels.get_registered_kernels_for_op("Statpool>GlobalStats").kernel
    return {kernel.device_type for kernel in found}
