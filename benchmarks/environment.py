"""What the numbers were measured on: machine, versions, commit, time."""

import contextlib
import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from tests.support import cuda_launchers

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("statpool", "tensorflow", "keras", "numpy", "ml_dtypes", "jax", "torch")
_TYPICAL_CACHE = 32 << 20


def describe_environment(device: str) -> dict:
    """Collects what a reader needs to place the numbers; device is "cpu" or "gpu"."""
    on_gpu = device == "gpu"
    name = (cuda_launchers.gpu_name() or "no GPU") if on_gpu else _cpu_name()
    versions = {package: _version(package) for package in _PACKAGES}
    return {
        "time_stamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "device": device,
        "device_name": name,
        "cores": len(os.sched_getaffinity(0)),
        "last_level_cache_bytes": last_level_cache_bytes(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions.items() if version},
    }


@functools.cache
def last_level_cache_bytes() -> int:
    """Size of the largest cache of the first core."""
    caches = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    sizes = [path.read_text().strip() for path in caches]
    return max((int(s[:-1]) * units[s[-1]] for s in sizes), default=_TYPICAL_CACHE)


def _commit() -> str:
    """Short hash of the checkout, with "-dirty" if it has changes; else "unknown"."""
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.check_output(command, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def _version(name: str) -> str | None:
    for distribution in (name, f"{name}-cpu"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(distribution)
    return None
