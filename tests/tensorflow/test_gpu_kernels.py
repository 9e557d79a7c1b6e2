"""The library with CUDA in it, loaded where there is no GPU: what it registers.

Runs with the TensorFlow for CPUs, and once more with the one for GPUs: see the target
test-gpu-wheel of the Makefile.
"""

import subprocess

import pytest
from tensorflow.python.framework import kernels

import statpool
from statpool import _native

OPS = ("Statpool>GlobalStats", "Statpool>GlobalStatsGrad")

pytestmark = pytest.mark.skipif(
    statpool.build_info()["cuda"] is None, reason="this build has no CUDA kernels"
)


def kernel_on(device, op):
    _native.ops()
    found = kernels.get_registered_kernels_for_op(op).kernel
    (kernel,) = (kernel for kernel in found if kernel.device_type == device)
    return kernel


@pytest.mark.parametrize("op", OPS)
def test_lengths_stay_on_the_host_where_they_are_checked(op):
    for device, on_host in (("GPU", ["lengths"]), ("CPU", [])):
        assert list(kernel_on(device, op).host_memory_arg) == on_host


def test_xla_compiles_for_gpus_too():
    assert _native.xla_devices() == {"CPU", "GPU"}


def test_nothing_of_cuda_is_exported_or_needed():
    """The CUDA that TensorFlow brings is another: neither may meet the other's."""
    libraries = sorted(_native.FOLDER.glob("libstatpool*-tf*.so"))
    assert len(libraries) >= 2
    for library in libraries:
        exported = _run("nm", "-D", "--defined-only", library)
        imported = _run("nm", "-D", "--undefined-only", library)
        for name in (*exported.split(), *imported.split()):
            assert not name.startswith(("cu", "__cuda")), library
        assert "libcuda" not in _run("readelf", "-d", library)


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
