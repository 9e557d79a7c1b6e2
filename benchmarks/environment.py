"""What the numbers were measured on: machine, versions, commit, time."""

import datetime
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("statpool", "tensorflow", "keras", "numpy", "ml_dtypes", "jax", "torch")
_TYPICAL_CACHE = 32 << 20


def describe_environment(device: str, device_name: str | None = None) -> dict:
    """Collects everything that a reader needs to place the numbers.

    Args:
        device: "cpu" or "gpu".
        device_name: Where it is known; else the processor, or what TensorFlow sees.
    """
    if device_name is None:
        device_name = gpu_name() if device == "gpu" else cpu_name()
    return {
        "time_stamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "device": device,
        "device_name": device_name,
        "cores": len(os.sched_getaffinity(0)),
        "last_level_cache_bytes": last_level_cache_bytes(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": package_versions(),
    }


def package_versions() -> dict[str, str]:
    """Versions of the packages that take part, if installed."""
    versions = {name: _version(name) for name in _PACKAGES}
    return {name: version for name, version in versions.items() if version}


def commit() -> str:
    """Short hash of the checkout, with "-dirty" if it has changes; else "unknown"."""
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def cpu_name() -> str:
    """Model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def gpu_name() -> str:
    """Name of the first GPU that TensorFlow sees."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return "no GPU"
    details = tf.config.experimental.get_device_details(devices[0])
    return details.get("device_name", "GPU")


@functools.cache
def last_level_cache_bytes() -> int:
    """Size of the largest cache of the first core."""
    caches = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    sizes = [path.read_text().strip() for path in caches]
    return max((int(s[:-1]) * units[s[-1]] for s in sizes), default=_TYPICAL_CACHE)


def _version(name: str) -> str | None:
    for distribution in (name, f"{name}-cpu"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
