"""Every implementation of the contract. A new one joins with a line in `_all`.

An implementation computes on NumPy arrays:

    forward(x, mask, lengths, **options) -> array
    gradient(x, upstream, mask, lengths, **options) -> array

with the options of `statpool.global_stats`, and says in its attributes what tests have
to know about it. Nothing is imported before `load`, so that an implementation that
can't be loaded fails alone and doesn't keep the others from being tested.
"""

import contextlib
import functools
import platform

import core_program
import cuda_launchers
import emulated_ops
import numpy as np
from native_build import UnavailableError


class Implementation:
    """What the tests may ask of any implementation."""

    name = ""
    errors = (ValueError,)  # what bad input may raise
    flushes_denormals = False  # whether denormal numbers may count as 0
    compiles_each_shape = False  # so slowly that tests choose few shapes
    checks_values = True  # whether it can reject what only values show
    takes_views = True  # whether strides and alignment of an array reach it
    checks_arguments = True  # whether it can reject what no caller should pass
    is_interpreted = False  # so slowly that tests choose shorter series

    def __str__(self):
        return self.name

    def load(self):
        """Raises if the implementation can't be used here."""


class Reference(Implementation):
    """`statpool.reference`, rounded to the dtypes that the contract asks for."""

    name = "reference"

    def forward(self, x, mask=None, lengths=None, *, output_dtype=None, **options):
        from statpool import _arguments, reference

        x = np.asarray(x)
        dtype = _arguments.check_output_dtype(x.dtype, output_dtype)
        output = reference.global_stats(x, mask, lengths, **options)
        return _rounded(output, dtype)

    def gradient(
        self, x, upstream, mask=None, lengths=None, *, output_dtype=None, **options
    ):
        from statpool import _arguments, reference

        x = np.asarray(x)
        _arguments.check_output_dtype(x.dtype, output_dtype)
        gradient = reference.global_stats_gradient(
            x, upstream, mask, lengths, **options
        )
        return _rounded(gradient, x.dtype)


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


class TensorFlow(Implementation):
    """A TensorFlow function, run eagerly, in a graph, or compiled by XLA.

    In a graph every size is unknown while tracing, and the graphs are kept. What is
    said to run on a device does: results that come from another fail.
    """

    takes_views = False

    def __init__(self, implementation, mode, device="CPU"):
        self.name = f"{implementation}-{mode}" + ("-gpu" if device == "GPU" else "")
        self.implementation = implementation
        self.mode = mode
        self.device = device
        # TensorFlow has its threads flush; kernels of ours don't let it.
        self.flushes_denormals = implementation != "native"
        self.compiles_each_shape = mode == "xla" and implementation != "native"
        # XLA drops the assertions of the composite, but no error of a kernel.
        self.checks_values = mode != "xla" or implementation == "native"
        self._compiled = {}

    @property
    def errors(self):
        import tensorflow as tf

        if self.mode == "eager":
            return (tf.errors.InvalidArgumentError,)
        return (tf.errors.InvalidArgumentError, ValueError)

    def load(self):
        import tensorflow as tf

        if not tf.config.list_logical_devices(self.device):
            raise UnavailableError(
                "TensorFlow sees no GPU, or pytest runs without --gpu"
            )
        self.forward(np.zeros((1, 1, 1), np.float32))

    def global_stats(self, x, mask=None, lengths=None, **options):
        """The function under test, on tensors."""
        if self.implementation == "composite":
            from statpool import composite

            return composite.global_stats(x, mask, lengths, **options)
        import statpool

        return statpool.global_stats(
            x, mask, lengths, implementation=self.implementation, **options
        )

    def forward(self, x, mask=None, lengths=None, **options):
        def forward(x, mask, lengths):
            return self.global_stats(x, mask, lengths, **options)

        return self.run(forward, x, mask, lengths, key=("forward", options))

    def gradient(self, x, upstream, mask=None, lengths=None, **options):
        import tensorflow as tf

        def gradient(x, upstream, mask, lengths):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = self.global_stats(x, mask, lengths, **options)
            return tape.gradient(y, x, upstream)

        key = ("gradient", options)
        return self.run(gradient, x, upstream, mask, lengths, key=key)

    def run(self, function, *arrays, key):
        """Calls a function of tensors in this mode; equal keys share a graph."""
        import tensorflow as tf

        with tf.device(f"{self.device}:0"):
            tensors = [None if a is None else tf.convert_to_tensor(a) for a in arrays]
            results = self._call(function, tensors, key)
        for result in tf.nest.flatten(results):
            assert f"device:{self.device}:" in result.device, "on another device"
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), results)

    def _call(self, function, tensors, key):
        import tensorflow as tf

        if self.mode == "eager":
            return function(*tensors)
        specs = [None if t is None else self._spec(t) for t in tensors]
        key = repr((key, specs))
        if key not in self._compiled:
            compiled = tf.function(function, jit_compile=self.mode == "xla" or None)
            self._compiled[key] = compiled.get_concrete_function(*specs)
        return self._compiled[key](*(t for t in tensors if t is not None))

    def _spec(self, tensor):
        import tensorflow as tf

        unknown = [None] * tensor.shape.rank
        return tf.TensorSpec(
            tensor.shape if self.mode == "xla" else unknown, tensor.dtype
        )


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


class EmulatedGlue(TensorFlow):
    """The OpKernels of the GPU, run by TensorFlow on the CPU: see emulated_ops."""

    is_interpreted = True

    def __init__(self, mode):
        super().__init__("native", mode)
        self.name = f"ops-emulated-{mode}"
        # The launchers are tested at every size; in a graph, a few do.
        self.compiles_each_shape = mode == "graph"

    def run(self, function, *arrays, key):
        with emulated_ops.in_place_of_the_native_op():
            return super().run(function, *arrays, key=key)


@functools.cache
def why_unusable(implementation) -> str:
    """Returns the reason in words, or nothing if the implementation is usable."""
    try:
        implementation.load()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _rounded(values, dtype):
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(dtype)


def _all():
    yield Reference()
    yield from map(NumpyCore, INSTRUCTION_SETS)
    yield from map(ProgramCore, ("avx512-emulated", "aarch64"))
    yield CudaLaunchers()
    yield from (TensorFlow("composite", mode) for mode in ("eager", "graph", "xla"))
    yield from (TensorFlow("native", mode) for mode in ("eager", "graph", "xla"))
    yield from (TensorFlow("native", mode, "GPU") for mode in ("eager", "graph"))
    yield from map(EmulatedGlue, ("eager", "graph"))


IMPLEMENTATIONS = tuple(_all())
