"""Which build of the native code the tests run: `make build`'s, or another's folder.

`pytest --build build/address-sanitizer` takes the libraries and the core program of
that folder, whatever is installed. CMakePresets.json says what there is to build.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "build" / f"cmake-{sys.implementation.cache_tag}"

_folder = DEFAULT


class UnavailableError(Exception):
    """What a test would run can't run here; the message says what that needs."""


def folder() -> Path:
    """Returns the build folder under test."""
    return _folder


def use(build: Path) -> None:
    """Takes every native library from a build folder from now on.

    Raises:
      FileNotFoundError: if there is no NumPy binding in it.
    """
    global _folder
    from statpool import _native

    binding = next(build.glob("_core*.so"), None)
    if binding is None:
        raise FileNotFoundError(f"{build} must hold the NumPy binding, _core*.so")
    name = "statpool._core"
    if name in sys.modules:
        raise RuntimeError(f"{build} must be chosen before statpool loads its library")
    spec = importlib.util.spec_from_file_location(name, binding)
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    _native.FOLDER = build
    _folder = build
