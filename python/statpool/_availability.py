"""Whether the op can run here, in XLA and on the GPUs too, and if not, why.

Every answer is a sentence with the cure, or None where nothing is in the way. The
driver is asked directly, without a CUDA toolkit: one that is too old for the CUDA that
statpool was built with can still serve TensorFlow, which brings an older one.
"""

import ctypes
import functools
import re

from statpool import _native

DRIVER_LIBRARY = "libcuda.so.1"

# The driver that each CUDA needs on Linux; every 12.x and 13.x runs on the first one's.
_DRIVERS = {11: "450.80", 12: "525.60", 13: "580.65"}


@functools.cache
def why_unavailable() -> str | None:
    """Returns why the op should not run here, with the cure; None if it should."""
    try:
        _native.ops()
    except _native.NativeLibraryError as error:
        return str(error)
    return None


def why_unavailable_in_xla() -> str | None:
    """Returns why XLA should not compile the op here; None if it should."""
    reason = why_unavailable() or _native.why_not_in_xla()
    if reason is not None:
        return reason
    import tensorflow as tf

    # Which device a function will be compiled for isn't known while it is traced.
    if tf.config.get_visible_devices("GPU") and why_no_gpu() is not None:
        return why_no_gpu()
    seen = {device.device_type for device in tf.config.list_logical_devices()}
    lacking = sorted(seen - _native.xla_devices())
    if lacking:
        return (
            "the op must have an XLA kernel for every device that TensorFlow sees, got "
            f"none for {', '.join(lacking)}; hide those devices to do without"
        )
    return None


# ------------------------------------------------------------------------------ GPUs


@functools.cache
def driver_cuda() -> tuple[int, int] | None:
    """Returns the newest CUDA that the driver serves; None without a driver."""
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        return None
    version = ctypes.c_int()
    if driver.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return None
    return version.value // 1000, version.value % 1000 // 10


def capabilities() -> dict[str, tuple[int, int]]:
    """Returns the compute capability of each GPU that TensorFlow may use, by name."""
    import tensorflow as tf

    found = {}
    for device in tf.config.get_visible_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        name = details.get("device_name", device.name)
        found[name] = details.get("compute_capability")
    return found


@functools.cache
def why_no_gpu() -> str | None:
    """Returns why the op's kernels can't run on a GPU here; None if they can."""
    return why_not_built() or why_driver_unfit() or why_no_code()


def why_not_built() -> str | None:
    """Returns why there are no kernels at all, with the cure."""
    if _native.core().build_info()["cuda"] is None:
        return (
            "the native library must have GPU kernels to run on a GPU, got a build "
            f"without CUDA; install the CUDA toolkit (nvcc) and {_native.rebuild()}"
        )
    return None


def why_driver_unfit() -> str | None:
    """Returns what is wrong with the driver, with the cure."""
    built = _built()
    serves = driver_cuda()
    if serves is None:
        return (
            f"the GPU kernels must find NVIDIA's driver, {_driver_for(built)}, got no "
            f"{DRIVER_LIBRARY}; install it, or work on the CPU"
        )
    if serves[0] < built[0]:
        return (
            f"the driver must serve CUDA {built[0]}, which the GPU kernels are built "
            f"with, got one for CUDA {serves[0]}.{serves[1]}; install "
            f"{_driver_for(built)}, or rebuild with the nvcc of CUDA {serves[0]}"
        )
    return None


def why_no_code() -> str | None:
    """Returns which of the GPUs the kernels are not built for, with the cure."""
    codes = _native.core().build_info()["cuda_archs"]
    for name, capability in capabilities().items():
        if capability is not None and not serves(codes, capability):
            major, minor = capability
            return (
                f"the GPU kernels must be built for every GPU, got {' '.join(codes)} "
                f"for {name}, which is sm_{major}{minor}; with an nvcc that knows it "
                f"and STATPOOL_CUDA_ARCHS={major}{minor}, {_native.rebuild()}"
            )
    return None


def serves(codes, capability) -> bool:
    """Whether code for these architectures runs on a GPU of that capability.

    Machine code runs on the same major version from its minor one on; PTX, which the
    driver compiles, on everything newer.
    """
    for code in codes:
        kind, number, suffix = re.fullmatch(r"(sm|compute)_(\d+)(\w?)", code).groups()
        built = divmod(int(number), 10)
        if suffix:  # the features of one architecture or family
            fits = built == tuple(capability)
        elif kind == "sm":
            fits = built[0] == capability[0] and built[1] <= capability[1]
        else:
            fits = built <= tuple(capability)
        if fits:
            return True
    return False


def _built() -> tuple[int, int]:
    """The version of CUDA that the kernels were built with."""
    major, minor = _native.core().build_info()["cuda"].split(".")[:2]
    return int(major), int(minor)


def _driver_for(cuda) -> str:
    known = _DRIVERS.get(cuda[0])
    return f"driver {known} or newer" if known else f"a driver for CUDA {cuda[0]}"
