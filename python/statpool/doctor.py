"""What this installation of statpool is, what works here, what not, and the cure."""

import dataclasses
import importlib.util
import platform
import signal
import subprocess
import sys
from pathlib import Path

from statpool import _availability, _native


def build_info() -> dict:
    """Returns what the native library was built from and for.

    Returns:
      A dict with the keys statpool, tensorflow (the versions that there is an op
      library for, such as "2.21"), compiler, cuda (version of the CUDA that the GPU
      kernels were built with, None without), cuda_archs (what they are built for, such
      as "sm_90" and "compute_90"), instruction_sets (those compiled in) and
      instruction_set (the one in use).

    Raises:
      NativeLibraryError: if the native library isn't built.
    """
    return {**_native.core().build_info(), "tensorflow": _native.tensorflows()}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    works: bool
    detail: str


def examine() -> list[Finding]:
    """Returns one finding for each thing that statpool stands on."""
    return list(_findings())


def report() -> int:
    """Prints each finding as it is found; returns 0 if the op runs here, else 1."""
    op_runs = False
    for finding in _findings():
        mark = "ok" if finding.works else "--"
        print(f"{mark}  {finding.name:<{_WIDTH}}  {finding.detail}", flush=True)
        op_runs |= finding.works and finding.name == "TensorFlow op"
    return 0 if op_runs else 1


_WIDTH = len("NumPy binding")


def _findings():
    yield _python()
    yield _tensorflow()
    damage = _damage("from statpool import _native; _native.core()")
    yield Finding("NumPy binding", False, damage) if damage else _numpy_binding()
    if not damage and importlib.util.find_spec("tensorflow"):
        damage = _damage("import statpool; statpool.load_library()")
    for name, find in (("TensorFlow op", _op), ("GPU kernels", _gpu), ("XLA", _xla)):
        yield Finding(name, False, damage) if damage else find()


def _damage(loading) -> str | None:
    """Returns what ended a process that loads libraries; None if nothing did.

    A library whose file is cut off ends the process by a signal: here, a child.
    """
    ended = subprocess.run([sys.executable, "-c", loading], capture_output=True)
    if ended.returncode >= 0:  # an error of Python's is what the finding itself says
        return None
    return (
        "its libraries must load, got a process that loads them ended by "
        f"{signal.Signals(-ended.returncode).name}: a file is damaged; "
        f"{_native.rebuild('make clean build')}"
    )


def _python() -> Finding:
    return Finding("Python", True, f"{platform.python_version()} ({sys.executable})")


def _tensorflow() -> Finding:
    if importlib.util.find_spec("tensorflow") is None:
        cure = "not installed; pip install tensorflow-cpu, or 'tensorflow[and-cuda]'"
        return Finding("TensorFlow", False, cure)
    import tensorflow as tf

    return Finding("TensorFlow", True, tf.__version__)


def _numpy_binding() -> Finding:
    try:
        info = build_info()
    except _native.NativeLibraryError as error:
        return Finding("NumPy binding", False, str(error))
    detail = (
        f"statpool {info['statpool']}, {info['compiler']}, {info['instruction_set']}"
    )
    return Finding("NumPy binding", True, detail)


def _op() -> Finding:
    return _of_tensorflow(
        "TensorFlow op",
        _availability.why_unavailable,
        "the composite works instead",
        lambda: (
            f"{Path(_native.library_path()).name} loads, implementation='auto' uses it"
        ),
    )


def _gpu() -> Finding:
    try:
        reason = _availability.why_not_built() or _availability.why_driver_unfit()
    except _native.NativeLibraryError:
        return Finding("GPU kernels", False, "need the native library")
    if reason is not None:
        return Finding("GPU kernels", False, reason)
    if importlib.util.find_spec("tensorflow") is None:
        return Finding("GPU kernels", False, "need TensorFlow")
    import tensorflow as tf

    if not tf.test.is_built_with_cuda():
        cure = _native.rebuild("make build TENSORFLOW=tensorflow-gpu")
        detail = f"this TensorFlow is for CPUs; get 'tensorflow[and-cuda]' and {cure}"
        return Finding("GPU kernels", False, detail)
    found = _availability.capabilities()
    if not found:
        detail = "TensorFlow sees no GPU; its log, or CUDA_VISIBLE_DEVICES, says why"
        return Finding("GPU kernels", False, detail)
    reason = _availability.why_no_code()
    if reason is not None:
        return Finding("GPU kernels", False, reason)
    info = build_info()
    detail = f"{', '.join(found)}; CUDA {info['cuda']}, {' '.join(info['cuda_archs'])}"
    return Finding("GPU kernels", True, detail)


def _xla() -> Finding:
    return _of_tensorflow(
        "XLA",
        _availability.why_unavailable_in_xla,
        "the composite is compiled instead",
        lambda: (
            f"has the op's kernels for {', '.join(sorted(_native.xla_devices()))}, "
            "implementation='auto' uses them"
        ),
    )


def _of_tensorflow(name, why_not, instead, detail) -> Finding:
    if importlib.util.find_spec("tensorflow") is None:
        return Finding(name, False, "needs TensorFlow")
    reason = why_not()
    if reason is not None:
        return Finding(name, False, f"{reason}; {instead}")
    return Finding(name, True, detail())
