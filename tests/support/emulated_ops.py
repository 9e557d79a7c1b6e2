"""The GPU's OpKernels run by TensorFlow on the CPU: what they launch is nvcc's PTX.

tests/native/emulated_ops registers them on the CPU device under names of their own; the
emulator is their CUDA runtime. So argument order, workspace, attributes and error paths
of cc/tf are executed where there is no GPU.
"""

import contextlib
import ctypes
import functools
import os
import types
from unittest import mock

from tests.support import cuda_launchers
from tests.support.native_build import UnavailableError

GLUE = cuda_launchers.BUILD / "libstatpool_emulated_ops.so"

# TensorFlow's tensors are host memory, which the emulator's kernels may touch if told.
EMULATION = {"PTXSIM_HOST_MEMORY": "1", "PTXSIM_ON_FAULT": "error"}


@functools.cache
def runtime():
    """Returns the emulator."""
    return cuda_launchers.load().runtime


@functools.cache
def ops():
    """Returns the raw ops under the names that statpool calls them by.

    Raises:
      UnavailableError: if there is no CUDA build or no emulator here.
    """
    from statpool import _gradients, _native

    if cuda_launchers.has_gpu():
        raise UnavailableError("the GPU itself runs these kernels here")
    runtime()
    _native.ops()  # the ops that those of the library are copies of
    # Bound to the emulator, which is loaded, not to the stubs that TensorFlow exports;
    # TensorFlow's own loader can't be told so.
    ctypes.CDLL(str(GLUE), mode=os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND)
    wrappers = _wrappers("StatpoolTest>GlobalStats", "StatpoolTest>GlobalStatsGrad")
    renamed = types.SimpleNamespace(
        statpool_global_stats=wrappers["statpool_test_global_stats"],
        statpool_global_stats_grad=wrappers["statpool_test_global_stats_grad"],
    )
    _gradients.register(renamed, namespace="StatpoolTest")
    return renamed


@contextlib.contextmanager
def in_place_of_the_native_op(**environment):
    """Within the context, `statpool.global_stats` calls these ops for "native"."""
    from statpool import _native

    ours = ops()
    with (
        mock.patch.dict(os.environ, {**EMULATION, **environment}),
        mock.patch.object(_native, "ops", return_value=ours),
    ):
        yield


def _wrappers(*names):
    """What tf.load_op_library would return, had it loaded these ops."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.framework import _pywrap_python_op_gen, op_def_registry

    definitions = op_def_pb2.OpList(op=[op_def_registry.get(name) for name in names])
    functions = {}
    source = _pywrap_python_op_gen.GetPythonWrappers(definitions.SerializeToString())
    exec(source, functions)
    return functions
