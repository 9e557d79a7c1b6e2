"""The CUDA launchers on NumPy arrays: on a GPU, or with nvcc's PTX run by ptxsim.

Both are the same library of launchers, tests/cuda/launchers.cc, linked against a shared
CUDA runtime: NVIDIA's where there is a GPU, else the emulator's.
"""

import ctypes
import functools
import json
import os
import subprocess

import numpy as np
from cases import DTYPES
from exact import STATISTICS
from native_build import ROOT, UnavailableError

BUILD = ROOT / "build" / "cuda"
LAUNCHERS = BUILD / "libstatpool_cuda_launchers.so"
EMULATOR_SOURCE = ROOT / "tools" / "ptxsim"
EMULATOR = ROOT / "build" / "tools" / "ptxsim" / "libcudart.so.13"
NO_TOOLKIT = 77  # exit code of the emulator's scripts

HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2


class Call(ctypes.Structure):
    """A call, as tests/cuda/launchers.cc has it."""

    _fields_ = [
        ("batch", ctypes.c_int64),
        ("time", ctypes.c_int64),
        ("channels", ctypes.c_int64),
        ("epsilon", ctypes.c_double),
        ("is_channels_first", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("out_dtype", ctypes.c_int32),
        ("multiprocessors", ctypes.c_int32),
        ("statistics", ctypes.c_int32),
        ("statistic", ctypes.c_int32 * len(STATISTICS)),
    ]


class CudaError(RuntimeError):
    """A CUDA call has failed; says the emulator's fault if there was one."""


class Launchers:
    """A CUDA runtime and the launchers bound to it, once per process."""

    def __init__(self, runtime, launchers, is_emulated):
        # The launchers bind to the runtime that is loaded already, and to nothing of
        # the stubs that TensorFlow exports; nor does TensorFlow bind to the emulator.
        own_first = os.RTLD_NOW | os.RTLD_LOCAL | os.RTLD_DEEPBIND
        self.runtime = ctypes.CDLL(str(runtime))
        self.library = ctypes.CDLL(str(launchers), mode=own_first)
        self.is_emulated = is_emulated
        self.runtime.cudaGetErrorName.restype = ctypes.c_char_p
        self.library.StatpoolWorkspaceBytes.restype = ctypes.c_int64
        if is_emulated:
            self.runtime.ptxsim_stats_json.restype = ctypes.c_char_p
            self.runtime.ptxsim_last_fault.restype = ctypes.c_char_p

    def check(self, error):
        if error == 0:
            return
        name = self.runtime.cudaGetErrorName(error).decode()
        fault = ""
        if self.is_emulated:
            fault = self.runtime.ptxsim_last_fault().decode()
            self.runtime.ptxsim_clear_fault()
        raise CudaError(f"{name} ({error}) {fault}".strip())

    def reset_counts(self):
        self.runtime.ptxsim_reset_stats()

    def counts(self):
        """What each launch since the reset has read and written."""
        launches = json.loads(self.runtime.ptxsim_stats_json())["launches"]
        self.runtime.ptxsim_set_stats(0)
        return launches


class DeviceArray:
    """Device memory that holds an array, `offset` bytes behind a 256-byte boundary."""

    def __init__(self, cuda, array, offset=0):
        self._cuda = cuda
        self._array = array
        self._base = ctypes.c_void_p()
        size = ctypes.c_size_t(array.nbytes + offset)
        if array.nbytes:
            cuda.check(cuda.runtime.cudaMalloc(ctypes.byref(self._base), size))
        self.pointer = ctypes.c_void_p((self._base.value or 0) + offset)

    def send(self):
        self._copy(self.pointer, _pointer(self._array), HOST_TO_DEVICE)
        return self

    def fetch(self):
        self._copy(_pointer(self._array), self.pointer, DEVICE_TO_HOST)
        return self._array

    def _copy(self, to, source, kind):
        if self._array.nbytes:
            size = ctypes.c_size_t(self._array.nbytes)
            self._cuda.check(self._cuda.runtime.cudaMemcpy(to, source, size, kind))

    def free(self):
        if self._base.value:
            self._cuda.check(self._cuda.runtime.cudaFree(self._base))


class Pooling:
    """One call's arguments on the device. Use as a context: it frees them."""

    def __init__(
        self,
        cuda,
        x,
        mask=None,
        lengths=None,
        *,
        statistics=("mean", "max", "l2"),
        epsilon=1e-12,
        data_format="channels_last",
        output_dtype=None,
        multiprocessors=0,
        offset=0,
    ):
        self._cuda = cuda
        self._arrays = []
        self.x_array = np.ascontiguousarray(x)
        self._offset = offset
        first = data_format == "channels_first"
        batch, time, channels = (
            x.shape if not first else (x.shape[i] for i in (0, 2, 1))
        )
        self.output_dtype = np.dtype(output_dtype or x.dtype)
        self.call = Call(
            batch=batch,
            time=time,
            channels=channels,
            epsilon=epsilon,
            is_channels_first=first,
            dtype=DTYPES.index(x.dtype.name),
            out_dtype=DTYPES.index(self.output_dtype.name),
            multiprocessors=multiprocessors,
            statistics=len(statistics),
        )
        for i, name in enumerate(statistics):
            self.call.statistic[i] = STATISTICS.index(name)  # as core::Statistic
        self._call = ctypes.byref(self.call)
        self.x = self._send(self.x_array, offset)
        self.mask = None if mask is None else self._send(np.ascontiguousarray(mask))
        self.lengths = None
        if lengths is not None:
            self.lengths = self._send(np.asarray(lengths, np.int64))
        compute = np.float64 if x.dtype == np.float64 else np.float32
        planes = cuda.library.StatpoolPlanes(self._call)
        self._y_shape = batch, len(statistics) * channels
        self.y = self._empty(self._y_shape, self.output_dtype)
        self.saved = self._empty((batch, planes, channels), compute)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for array in self._arrays:
            array.free()

    def forward(self):
        """Returns the output `[B, S * C]`; the saved planes stay on the device."""
        size = self._cuda.library.StatpoolWorkspaceBytes(self._call)
        if size < 0:
            self._cuda.check(-size)
        workspace = self._empty(size, np.uint8)
        error = self._cuda.library.StatpoolForward(
            self.y.pointer,
            self.saved.pointer,
            self.x.pointer,
            _address(self.mask),
            _address(self.lengths),
            self._call,
            workspace.pointer,
        )
        self._finish(error)
        return self.y.fetch()

    def gradient(self, upstream):
        """Returns the gradient, after `forward`."""
        upstream = np.ascontiguousarray(upstream.reshape(self._y_shape))
        on_device = self._send(upstream)
        dx = self._empty(self.x_array.shape, self.x_array.dtype, self._offset)
        self.dx = dx
        error = self._cuda.library.StatpoolGradient(
            dx.pointer,
            on_device.pointer,
            self.x.pointer,
            self.saved.pointer,
            _address(self.mask),
            _address(self.lengths),
            self._call,
        )
        self._finish(error)
        return dx.fetch()

    def _finish(self, error):
        self._cuda.check(error)
        self._cuda.check(self._cuda.runtime.cudaDeviceSynchronize())

    def _send(self, array, offset=0):
        return self._keep(DeviceArray(self._cuda, array, offset).send())

    def _empty(self, shape, dtype, offset=0):
        return self._keep(DeviceArray(self._cuda, np.empty(shape, dtype), offset))

    def _keep(self, array):
        self._arrays.append(array)
        return array


def _pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def _address(array):
    return None if array is None else array.pointer


@functools.cache
def has_gpu():
    """Whether there is a GPU that tests may use, see conftest."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "-1":
        return False
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return listed.returncode == 0 and bool(listed.stdout.strip())


def build_emulator():
    """Returns the emulator's libcudart, built if need be.

    Raises:
      UnavailableError: if there is no toolkit of CUDA 13 to build it with.
    """
    command = [EMULATOR_SOURCE / "build.sh", EMULATOR.parent]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    if built.returncode == NO_TOOLKIT:
        reason = built.stderr.strip()
        raise UnavailableError(f"neither a GPU nor tools/ptxsim here: {reason}")
    assert built.returncode == 0, built.stderr
    return EMULATOR


@functools.cache
def load():
    """Returns the launchers on what this machine has.

    Raises:
      UnavailableError: if there is neither a GPU nor the emulator, or no CUDA build.
    """
    if not LAUNCHERS.exists():
        raise UnavailableError("this build has no CUDA kernels, for want of nvcc")
    if has_gpu():
        return Launchers("libcudart.so.13", LAUNCHERS, is_emulated=False)
    os.environ.setdefault("PTXSIM_ON_FAULT", "error")
    os.environ.setdefault("PTXSIM_ARCH", "90")
    return Launchers(build_emulator(), LAUNCHERS, is_emulated=True)
