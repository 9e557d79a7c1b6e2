"""The CPU kernels in a process of their own, tests/native/core_program, by pipes.

Runs what can't be loaded here: the kernels for 64-bit Arm, in qemu's emulation of one,
and AVX-512's vectors of 64 bytes on processors that don't have them.
"""

import ctypes
import shutil
import subprocess

import numpy as np

from tests.support.native_build import ROOT, UnavailableError, folder
from tests.support.native_call import NativeCall

NAME = "statpool_core_program"
AARCH64 = ROOT / "build" / "aarch64" / NAME


class Request(ctypes.Structure):
    """What to do, as tests/native/core_program/main.cc has it."""

    _fields_ = [
        ("call", NativeCall),
        ("has_mask", ctypes.c_int32),
        ("has_lengths", ctypes.c_int32),
        ("wants_gradient", ctypes.c_int32),
        ("flushes_subnormals", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    ]


def command(instruction_set):
    """Returns how to start the program for an instruction set.

    Raises:
      UnavailableError: if that isn't possible here.
    """
    if instruction_set == "aarch64":
        emulator = shutil.which("qemu-aarch64")
        if emulator is None or not AARCH64.exists():
            raise UnavailableError(
                "64-bit Arm needs g++-aarch64-linux-gnu and qemu-user: `make packages`"
            )
        return [emulator, AARCH64, "generic"]
    program = folder() / NAME
    if not program.exists():
        raise UnavailableError(f"{program.name} isn't built: `make test-libraries`")
    return [program, instruction_set]


class CoreProgram:
    """A running program, which computes one call after the other.

    Args:
      instruction_set: Whose kernels.
      under: The command line of another program that is to run it.
    """

    def __init__(self, instruction_set, under=()):
        self._process = subprocess.Popen(
            [*under, *command(instruction_set)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(
        self,
        x,
        mask=None,
        lengths=None,
        upstream=None,
        *,
        num_threads=2,
        flushes_subnormals=False,
        **options,
    ):
        """Returns the output `[B, S * C]`, and the gradient if there is an upstream."""
        x = np.ascontiguousarray(x)
        call = NativeCall.of(x, **options)
        request = Request(
            call=call,
            has_mask=mask is not None,
            has_lengths=lengths is not None,
            wants_gradient=upstream is not None,
            flushes_subnormals=flushes_subnormals,
            threads=num_threads,
        )
        self._process.stdin.write(bytes(request))
        types = x.dtype, bool, np.int64, call.output_dtype
        for array, dtype in zip((x, mask, lengths, upstream), types, strict=True):
            if array is not None:
                self._process.stdin.write(np.asarray(array, dtype).tobytes())
        self._process.stdin.flush()
        y = self._receive(call.y_shape, call.output_dtype)
        return y if upstream is None else (y, self._receive(x.shape, x.dtype))

    def close(self):
        """Waits until the program has ended."""
        self._process.communicate()

    def _receive(self, shape, dtype):
        size = int(np.prod(shape)) * dtype.itemsize
        data = self._process.stdout.read(size)
        if len(data) != size:
            raise RuntimeError(f"{NAME} has ended with {self._process.wait()}")
        return np.frombuffer(data, dtype).reshape(shape)
