"""The library with CUDA in it, loaded where there is no GPU: what it registers.

Runs with the TensorFlow for CPUs, and once more with the one for GPUs: see the target
test-gpu-wheel of the Makefile.
"""

import subprocess

import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels, op_def_registry

import statpool
from statpool import _native

OPS = ("Statpool>GlobalStats", "Statpool>GlobalStatsGrad")
DTYPES = {tf.float16, tf.bfloat16, tf.float32, tf.float64}

pytestmark = pytest.mark.skipif(
    statpool.build_info()["cuda"] is None, reason="this build has no CUDA kernels"
)


def kernel_on(device, op):
    _native.ops()
    found = kernels.get_registered_kernels_for_op(op).kernel
    (kernel,) = (kernel for kernel in found if kernel.device_type == device)
    return kernel


@pytest.mark.parametrize("op", OPS)
def test_every_dtype_has_a_kernel_on_every_device(op):
    _native.ops()
    definition = op_def_registry.get(op)
    for name in ("T", "Tout"):
        (attribute,) = (a for a in definition.attr if a.name == name)
        allowed = {tf.as_dtype(t) for t in attribute.allowed_values.list.type}
        assert allowed == DTYPES
    for device in ("CPU", "GPU"):
        assert not kernel_on(device, op).constraint  # one kernel serves all


@pytest.mark.parametrize("op", OPS)
def test_lengths_stay_on_the_host_where_they_are_checked(op):
    assert list(kernel_on("GPU", op).host_memory_arg) == ["lengths"]
    assert not list(kernel_on("CPU", op).host_memory_arg)


def test_xla_compiles_for_gpus_too():
    assert _native.xla_devices() == {"CPU", "GPU"}


@pytest.mark.parametrize("library", [_native.OP_LIBRARY, _native.XLA_LIBRARY])
def test_nothing_of_cuda_is_exported_or_needed(library):
    """The CUDA that TensorFlow brings is another: neither may meet the other's."""
    exported = _run("nm", "-D", "--defined-only", library)
    imported = _run("nm", "-D", "--undefined-only", library)
    for names in (exported, imported):
        assert not [name for name in names.split() if name.startswith(("cu", "__cuda"))]
    assert "libcuda" not in _run("readelf", "-d", library)


def test_kernels_for_gpus_disturb_nothing_on_the_cpu():
    with tf.device("CPU:0"):
        y = statpool.global_stats(tf.ones([2, 4, 3]), implementation="native")
    assert y.device.endswith("CPU:0")
    assert y.numpy().tolist() == [[1.0] * 6 + [2.0] * 3] * 2


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
