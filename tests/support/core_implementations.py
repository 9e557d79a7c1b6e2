"""The implementations that know no TensorFlow."""

import contextlib
import functools
import platform

import numpy as np

from tests.support import core_program, cuda_launchers
from tests.support.implementation import Implementation
from tests.support.native_build import UnavailableError


class Reference(Implementation):
    """`statpool.reference`, rounded to the dtypes that the contract asks for."""

    name = "reference"

    def forward(self, x, mask=None, lengths=None, *, output_dtype=None, **options):
        from statpool import reference

        x = np.asarray(x)
        dtype = _result_dtype(x, output_dtype)
        output = reference.global_stats(x, mask, lengths, **options)
        return _rounded(output, dtype)

    def gradient(
        self, x, upstream, mask=None, lengths=None, *, output_dtype=None, **options
    ):
        from statpool import reference

        x = np.asarray(x)
        _result_dtype(x, output_dtype)
        gradient = reference.global_stats_gradient(
            x, upstream, mask, lengths, **options
        )
        return _rounded(gradient, x.dtype)


def _result_dtype(x, output_dtype):
    from statpool._options import Options

    return Options.check(output_dtype=output_dtype).result_dtype(x.dtype)


# Of this machine's processor. Named here, not asked for: a native library that can't be
# loaded fails its own tests alone.
INSTRUCTION_SETS = (
    ("avx512", "avx2", "x86-64")
    if platform.machine() in ("x86_64", "AMD64")
    else ("generic",)
)


class NumpyCore(Implementation):
    """The C++ core behind `statpool.numpy`, with one instruction set."""

    def __init__(self, instruction_set):
        self.name = f"core-{instruction_set}"
        self.instruction_set = instruction_set

    def load(self):
        from statpool import numpy

        usable = numpy.instruction_sets()
        if self.instruction_set not in usable:
            raise UnavailableError(
                f"this processor has no {self.instruction_set}, only {usable}"
            )

    def forward(self, x, mask=None, lengths=None, **options):
        from statpool import numpy

        return numpy.global_stats(
            x, mask, lengths, instruction_set=self.instruction_set, **options
        )

    def gradient(self, x, upstream, mask=None, lengths=None, **options):
        from statpool import numpy

        return numpy.global_stats_gradient(
            x, upstream, mask, lengths, instruction_set=self.instruction_set, **options
        )


class ProgramCore(Implementation):
    """The C++ core in a process of its own, for what can't be loaded here."""

    takes_views = False
    checks_arguments = False
    checks_values = False

    def __init__(self, instruction_set):
        self.name = f"core-{instruction_set}"
        self.instruction_set = instruction_set
        self.is_interpreted = instruction_set == "aarch64"

    def load(self):
        self._program()

    def forward(self, x, mask=None, lengths=None, *, keepdims=False, **options):
        y = self._program().run(x, mask, lengths, **options)
        axis = 2 if options.get("data_format") == "channels_first" else 1
        return np.expand_dims(y, axis) if keepdims else y

    def gradient(
        self, x, upstream, mask=None, lengths=None, *, keepdims=False, **options
    ):
        return self._program().run(x, mask, lengths, upstream, **options)[1]

    @functools.cache  # noqa: B019, as long-lived as the process
    def _program(self):
        return core_program.CoreProgram(self.instruction_set)


class CudaLaunchers(Implementation):
    """The CUDA kernels without TensorFlow, on a GPU or as nvcc's PTX on the CPU.

    Launchers trust their caller: every layer above them checks.
    """

    takes_views = False
    checks_arguments = False
    checks_values = False

    def __init__(self):
        self.is_interpreted = not cuda_launchers.has_gpu()
        self.name = "cuda-emulated" if self.is_interpreted else "cuda"

    def load(self):
        cuda_launchers.load()

    def forward(self, x, mask=None, lengths=None, **options):
        with self._pooling(x, mask, lengths, options) as (pooling, keep):
            return keep(pooling.forward())

    def gradient(self, x, upstream, mask=None, lengths=None, **options):
        with self._pooling(x, mask, lengths, options) as (pooling, _):
            pooling.forward()
            return pooling.gradient(upstream)

    @contextlib.contextmanager
    def _pooling(self, x, mask, lengths, options):
        options = dict(options)
        keepdims = options.pop("keepdims", False)
        axis = 2 if options.get("data_format") == "channels_first" else 1

        def keep(y):
            return np.expand_dims(y, axis) if keepdims else y

        arguments = np.ascontiguousarray(x), mask, lengths
        with cuda_launchers.Pooling(
            cuda_launchers.load(), *arguments, **options
        ) as pooling:
            yield pooling, keep


def _rounded(values, dtype):
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(dtype)
