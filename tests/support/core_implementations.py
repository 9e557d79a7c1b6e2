"""The implementations that know no TensorFlow."""

import functools
import platform

import numpy as np

from tests.support import core_program, cuda_launchers
from tests.support.implementation import Implementation
from tests.support.native_build import UnavailableError


class Reference(Implementation):
    """`statpool.reference`, rounded to the dtypes that the contract asks for."""

    name = "reference"

    def forward(self, x, *padding, output_dtype=None, **options):
        from statpool import reference

        dtype = _result_dtype(x, output_dtype)
        return _rounded(reference.global_stats(x, *padding, **options), dtype)

    def gradient(self, x, upstream, *padding, output_dtype=None, **options):
        from statpool import reference

        _result_dtype(x, output_dtype)
        gradient = reference.global_stats_gradient(x, upstream, *padding, **options)
        return _rounded(gradient, x.dtype)


def _result_dtype(x, output_dtype):
    from statpool._options import Options

    return Options.check(output_dtype=output_dtype).result_dtype(x.dtype)


def _rounded(values, dtype):
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(dtype)


# For this machine's processor. Named here and not read from the library, so that a
# library that can't be loaded fails its own tests alone.
INSTRUCTION_SETS = (
    ("avx512", "avx2", "x86-64")
    if platform.machine() in ("x86_64", "AMD64")
    else ("generic",)
)


class NumpyCore(Implementation):
    """The C++ core behind `statpool.numpy`, with one instruction set."""

    def __init__(self, instruction_set):
        self.name = f"core-{instruction_set}"
        self.how = {"instruction_set": instruction_set}

    def load(self):
        from statpool import numpy

        usable = numpy.instruction_sets()
        if (name := self.how["instruction_set"]) not in usable:
            raise UnavailableError(f"this processor has no {name}, only {usable}")

    def forward(self, *arrays, **options):
        from statpool import numpy

        return numpy.global_stats(*arrays, **self.how, **options)

    def gradient(self, *arrays, **options):
        from statpool import numpy

        return numpy.global_stats_gradient(*arrays, **self.how, **options)


class _Kernels(Implementation):
    """Kernels without the layer above them that checks and reshapes."""

    takes_views = False
    checks_arguments = False
    checks_values = False

    def forward(self, x, mask=None, lengths=None, *, keepdims=False, **options):
        y = self._forward(x, mask, lengths, **options)
        axis = 2 if options.get("data_format") == "channels_first" else 1
        return np.expand_dims(y, axis) if keepdims else y

    def gradient(
        self, x, upstream, mask=None, lengths=None, *, keepdims=False, **options
    ):
        return self._gradient(x, mask, lengths, upstream, **options)


class ProgramCore(_Kernels):
    """The C++ core in a process of its own, for what can't be loaded here."""

    def __init__(self, instruction_set):
        self.name = f"core-{instruction_set}"
        self.instruction_set = instruction_set
        self.is_interpreted = instruction_set == "aarch64"

    def load(self):
        self._program()

    def _forward(self, *arrays, **options):
        return self._program().run(*arrays, **options)

    def _gradient(self, *arrays, **options):
        return self._program().run(*arrays, **options)[1]

    @functools.cache  # noqa: B019, as long-lived as the process
    def _program(self):
        return core_program.CoreProgram(self.instruction_set)


class CudaLaunchers(_Kernels):
    """The CUDA kernels without TensorFlow, on a GPU or as nvcc's PTX on the CPU."""

    def __init__(self):
        self.is_interpreted = not cuda_launchers.has_gpu()
        self.name = "cuda-emulated" if self.is_interpreted else "cuda"

    def load(self):
        cuda_launchers.load()

    def _forward(self, *arrays, **options):
        with self._pooling(*arrays, **options) as pooling:
            return pooling.forward()

    def _gradient(self, x, mask, lengths, upstream, **options):
        with self._pooling(x, mask, lengths, **options) as pooling:
            pooling.forward()
            return pooling.gradient(upstream)

    def _pooling(self, *arrays, **options):
        return cuda_launchers.Pooling(cuda_launchers.load(), *arrays, **options)
