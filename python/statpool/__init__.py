"""Fused statistics pooling over time for TensorFlow and Keras.

Importing statpool loads neither TensorFlow nor the native library; using a name does.
"""

import importlib
import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING

from statpool import _keras
from statpool._native import NativeLibraryError, library_path, load_library

# Where each public name lives; loaded at first use, so that `statpool.reference` and
# `statpool.numpy` work in a process without TensorFlow.
_HOMES = {
    "GlobalStatsPooling1D": "statpool.layers",
    "GlobalStatsPooling2D": "statpool.layers",
    "build_info": "statpool.doctor",
    "cpu_plan": "statpool._plans",
    "export": "statpool._export",
    "force_implementation": "statpool.ops",
    "global_stats": "statpool.ops",
    "launch_plan": "statpool._plans",
}
_MODULES = (
    *("composite", "doctor", "jax", "layers", "numpy", "ops", "reference"),
    "streaming",
)

if TYPE_CHECKING:  # what editors and type checkers see of the names above
    from statpool import composite as composite
    from statpool import doctor as doctor
    from statpool import jax as jax
    from statpool import layers as layers
    from statpool import numpy as numpy
    from statpool import ops as ops
    from statpool import reference as reference
    from statpool import streaming as streaming
    from statpool._export import export
    from statpool._plans import cpu_plan, launch_plan
    from statpool.doctor import build_info
    from statpool.layers import GlobalStatsPooling1D, GlobalStatsPooling2D
    from statpool.ops import force_implementation, global_stats

# Without the modules: `from statpool import *` leaves Keras' `layers` as it is.
__all__ = [
    "GlobalStatsPooling1D",
    "GlobalStatsPooling2D",
    "NativeLibraryError",
    "__version__",
    "build_info",
    "cpu_plan",
    "export",
    "force_implementation",
    "global_stats",
    "launch_plan",
    "library_path",
    "load_library",
]
__version__: str


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


# Without TensorFlow too: Keras runs on JAX. A copied folder may lack wrapt.
if importlib.util.find_spec(_keras.NAME) and importlib.util.find_spec("wrapt"):
    import wrapt

    wrapt.when_imported(_keras.NAME)(_register_layer)


def __dir__():
    return sorted((*__all__, *_MODULES))
