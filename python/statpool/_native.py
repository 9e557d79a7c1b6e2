"""Finds, checks and loads the native libraries, the first time that they are needed.

Importing this module loads nothing. What touches TensorFlow's ABI is built once for
each minor version of it, and a file's name says for which: TensorFlow's loader never
touches another, because a mismatch there ends in undefined symbols or a crash.
"""

import functools
import re
import sys
import threading
import warnings
from pathlib import Path

FOLDER = Path(__file__).parent  # of the native libraries

# A server's first requests come at once: what they need is loaded by one of them.
_loading = threading.RLock()

# Whether this package stands in a checkout, whose `make` builds the libraries again.
_IS_CHECKOUT = (Path(__file__).parents[2] / "Makefile").exists()
_REINSTALL = (
    "install it from its sources with 'pip install --no-build-isolation --no-cache-dir "
    "--force-reinstall --no-deps' and where they are, in the environment that has "
    "TensorFlow"
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


@functools.cache
def warn_once(reason) -> None:
    """Says, once for each reason, why the composite is taken."""
    warnings.warn(
        f"statpool falls back on the slower composite: {reason}", stacklevel=5
    )


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
      NativeLibraryError: if it isn't built for this TensorFlow or doesn't load.
    """
    import tensorflow as tf

    path = library_path()
    library = _of_another_copy()
    try:
        library = library or tf.load_op_library(path)
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
    """Returns the path of the op library for the TensorFlow that is installed.

    For `tf.load_op_library` or the C API's `TF_LoadLibrary` in programs that can't
    import statpool: they can run its op, and not differentiate it.

    Raises:
      NativeLibraryError: if it isn't built for this TensorFlow, with the cure.
    """
    import tensorflow as tf

    library = FOLDER / f"libstatpool-{_tag()}.so"
    if not library.exists():
        built = tensorflows()
        got = f"one for {' and '.join(built)}" if built else "none"
        take = f"install TensorFlow {' or '.join(built)}, or " if built else ""
        raise NativeLibraryError(
            "the op library must be built for the minor version of the TensorFlow that "
            f"loads it, got {got} under TensorFlow {tf.__version__}, which needs "
            f"{library.name}; {take}{rebuild()}"
        )
    return str(library)


def tensorflows() -> list[str]:
    """Returns the versions of TensorFlow that there is an op library for: ["2.21"]."""
    names = sorted(library.name for library in FOLDER.glob("libstatpool-tf*.so"))
    return [re.match(r"libstatpool-tf(.+)-abi", name)[1] for name in names]


def _tag() -> str:
    """What names of libraries say of the TensorFlow, as cmake/FindTensorFlow.cmake."""
    import tensorflow as tf

    release = re.sub(r"^(\d+\.\d+)\.\d+$", r"\1", tf.__version__)
    return f"tf{release}-abi{tf.sysconfig.CXX11_ABI_FLAG}"


@_once
def why_not_in_xla() -> str | None:
    """Loads the kernels inside XLA; returns why that can't be done, None if it is."""
    import tensorflow as tf

    if {"XLA_CPU_JIT", "XLA_GPU_JIT"} & _registered_devices():  # by another copy
        return None
    library = FOLDER / f"libstatpool_xla-{_tag()}.so"
    if not library.exists():
        return (
            "kernels inside XLA must be built with the headers of TensorFlow 2.20 or "
            f"newer, got none for TensorFlow {tf.__version__}; install that, or if it "
            f"is there {rebuild('make clean build')}: its log says why none was built"
        )
    try:
        tf.load_library(str(library))
    except (OSError, tf.errors.OpError) as error:
        return (
            f"the XLA library must load into TensorFlow {tf.__version__}, got "
            f"'{error}'; {rebuild('make clean build')}"
        )
    return None


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
