"""The CUDA launchers on NumPy arrays: on a GPU, or with nvcc's PTX run by ptxsim.

Both are the same library of launchers, tests/native/cuda/launchers.cc, linked against a
shared CUDA runtime: NVIDIA's if there is a GPU, else the emulator's.
"""

import ctypes
import functools
import json
import os
import subprocess

import numpy as np

from tests.support.native_build import ROOT, UnavailableError
from tests.support.native_call import NativeCall

BUILD = ROOT / "build" / "cuda"
LAUNCHERS = BUILD / "libstatpool_cuda_launchers.so"
EMULATOR_SOURCE = ROOT / "tools" / "ptxsim"
EMULATOR = ROOT / "build" / "tools" / "ptxsim" / "libcudart.so.13"
NO_TOOLKIT = 77  # exit code of the emulator's scripts

HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2


def _buffers(name, *fields):
    """A struct of pointers, as core::`name`."""
    pointers = {"_fields_": [(field, ctypes.c_void_p) for field in fields]}
    return type(name, (ctypes.Structure,), pointers)


ForwardBuffers = _buffers(
    "ForwardBuffers", "y", "saved", "x", "mask", "lengths", "workspace"
)
GradientBuffers = _buffers(
    "GradientBuffers", "dx", "upstream", "x", "saved", "mask", "lengths"
)


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
        """What each launch since the reset has executed and moved."""
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
        multiprocessors=0,
        offset=0,
        **options,
    ):
        self._cuda = cuda
        self._arrays = []
        self._forward = self._gradient = None
        self.x_array = np.ascontiguousarray(x)
        self._offset = offset
        self._multiprocessors = ctypes.c_int32(multiprocessors)
        self.call = NativeCall.of(x, **options)
        self._call = ctypes.byref(self.call)
        self.x = self._send(self.x_array, offset)
        self.mask = self._send(mask)
        self.lengths = self._send(lengths, dtype=np.int64)
        compute = np.float64 if x.dtype == np.float64 else np.float32
        planes = cuda.library.StatpoolPlanes(self._call)
        self.y = self._empty(self.call.y_shape, self.call.output_dtype)
        self.saved = self._empty((self.call.batch, planes, self.call.channels), compute)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for array in self._arrays:
            array.free()

    def forward(self):
        """Returns the output `[B, S * C]`; what was saved stays on the device."""
        self._finish(self.launch_forward())
        return self.y.fetch()

    def launch_forward(self, stream=None):
        """Enqueues the forward pass; returns the error."""
        if self._forward is None:
            buffers = ForwardBuffers(y=self.y.pointer, **self._inputs())
            arguments = self._call, ctypes.byref(buffers), self._multiprocessors
            size = ctypes.c_int64()
            bytes_of = self._cuda.library.StatpoolWorkspaceBytes
            self._cuda.check(bytes_of(*arguments, ctypes.byref(size)))
            buffers.workspace = self._empty(size.value, np.uint8).pointer
            self._forward = arguments
        return self._cuda.library.StatpoolForward(*self._forward, stream)

    def gradient(self, upstream):
        """Returns the gradient, after `forward`."""
        upstream = np.ascontiguousarray(upstream.reshape(self.call.y_shape))
        self.dx = self._empty(self.x_array.shape, self.x_array.dtype, self._offset)
        upstream = self._send(upstream).pointer
        buffers = GradientBuffers(
            dx=self.dx.pointer, upstream=upstream, **self._inputs()
        )
        self._gradient = self._call, ctypes.byref(buffers), self._multiprocessors
        self._finish(self.launch_gradient())
        return self.dx.fetch()

    def launch_gradient(self, stream=None):
        """Enqueues the gradient of the last upstream again; returns the error."""
        return self._cuda.library.StatpoolGradient(*self._gradient, stream)

    def launch_lengths(self, lengths, stream=None):
        """Enqueues other lengths, as TensorFlow's ops bring them; returns the error."""
        size = ctypes.c_int64(len(lengths))
        arguments = _pointer(lengths), size, self.lengths.pointer, stream
        return self._cuda.library.StatpoolStoreLengths(*arguments)

    def _finish(self, error):
        self._cuda.check(error)
        self._cuda.check(self._cuda.runtime.cudaDeviceSynchronize())

    def _inputs(self):
        """The buffers that both passes have."""
        arrays = {"saved": self.saved, "x": self.x}
        arrays |= {"mask": self.mask, "lengths": self.lengths}
        return {name: array and array.pointer for name, array in arrays.items()}

    def _send(self, array, offset=0, dtype=None):
        if array is None:
            return None
        array = np.ascontiguousarray(array, dtype)
        return self._keep(DeviceArray(self._cuda, array, offset).send())

    def _empty(self, shape, dtype, offset=0):
        return self._keep(DeviceArray(self._cuda, np.empty(shape, dtype), offset))

    def _keep(self, array):
        self._arrays.append(array)
        return array


def _pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


@functools.cache
def has_gpu():
    """Whether there is a GPU that tests may use, see conftest."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "-1":
        return False
    return bool(gpu_name())


def gpu_name():
    """The name of the first GPU that the driver lists; empty without one."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, check=False, text=True)
    except FileNotFoundError:
        return ""
    return listed.stdout.partition("\n")[0].strip() if listed.returncode == 0 else ""


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


def why_there_are_no_launchers():
    """Says what a build without the launchers needs."""
    from statpool import _native

    if _native.core().build_info()["cuda"] is None:
        return (
            "this build has no CUDA kernels: `make build` builds them where it finds "
            "nvcc, then `make test-libraries` what tests need of them"
        )
    return f"{LAUNCHERS.name} is not built: run `make test-libraries`"


@functools.cache
def load():
    """Returns the launchers on what this machine has.

    Raises:
      UnavailableError: if there is neither a GPU nor the emulator, or no CUDA build.
    """
    # On a GPU, where it is built, what ships: machine code.
    shipped = LAUNCHERS.with_stem(f"{LAUNCHERS.stem}_shipped")
    launchers = shipped if has_gpu() and shipped.exists() else LAUNCHERS
    if not launchers.exists():
        raise UnavailableError(why_there_are_no_launchers())
    if has_gpu():
        return Launchers("libcudart.so.13", launchers, is_emulated=False)
    os.environ.setdefault("PTXSIM_ON_FAULT", "error")
    os.environ.setdefault("PTXSIM_ARCH", "90")
    return Launchers(build_emulator(), LAUNCHERS, is_emulated=True)
