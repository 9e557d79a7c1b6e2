"""Fused statistics pooling over time for TensorFlow and Keras.

Importing statpool loads neither TensorFlow nor the native library; using a name does.
"""

import importlib
import importlib.metadata
import importlib.util

from statpool import _keras
from statpool._native import NativeLibraryError, library_path, load_library

# Where each public name lives; loaded at first use, so that `statpool.reference` and
# `statpool.numpy` work in a process without TensorFlow.
_HOMES = {
    "GlobalStatsPooling1D": "statpool.layers",
    "GlobalStatsPooling2D": "statpool.layers",
    "build_info": "statpool.doctor",
    "export": "statpool._export",
    "force_implementation": "statpool.ops",
    "global_stats": "statpool.ops",
    "launch_plan": "statpool._launch_plan",
}
_MODULES = ("composite", "doctor", "layers", "numpy", "ops", "reference")

# Without the modules: `from statpool import *` leaves Keras' `layers` as it is.
__all__ = [
    "NativeLibraryError",
    "__version__",
    "library_path",
    "load_library",
    *_HOMES,
]


def __getattr__(name):
    if name == "__version__":
        try:
            return importlib.metadata.version("statpool")
        except importlib.metadata.PackageNotFoundError:  # a copied folder
            return importlib.import_module("statpool.doctor").build_info()["statpool"]
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"statpool.{name}")
    raise AttributeError(f"module 'statpool' has no attribute {name!r}")


def _register_layer(_):
    """Makes `import statpool` enough for Keras to load a saved model with the layer."""
    importlib.import_module("statpool.layers")


if importlib.util.find_spec(_keras.NAME) and importlib.util.find_spec("tensorflow"):
    import wrapt  # comes with TensorFlow

    wrapt.when_imported(_keras.NAME)(_register_layer)


def __dir__():
    return sorted((*__all__, *_MODULES))
