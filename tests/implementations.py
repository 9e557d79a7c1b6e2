"""Every implementation of the contract. A new one joins with a line in `_all`.

An implementation computes on NumPy arrays:

    forward(x, mask, lengths, **options) -> array
    gradient(x, upstream, mask, lengths, **options) -> array

with the options of `statpool.global_stats`, and says in its attributes what tests have
to know about it. Nothing is imported before `load`, so that an implementation that
can't be loaded fails alone and doesn't keep the others from being tested.
"""

import functools

import numpy as np


class Implementation:
    """What the tests may ask of any implementation."""

    name = ""
    errors = (ValueError,)  # what bad input may raise
    flushes_denormals = False  # whether denormal numbers may count as 0
    compiles_each_shape = False  # so slowly that tests choose few shapes
    checks_values = True  # whether it can reject what only values show
    takes_views = True  # whether strides and alignment of an array reach it

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


class NumpyCore(Implementation):
    """The C++ core behind `statpool.numpy`, with one instruction set."""

    def __init__(self, instruction_set):
        self.name = f"core-{instruction_set}"
        self.instruction_set = instruction_set

    def load(self):
        from statpool import numpy

        usable = numpy.instruction_sets()
        if self.instruction_set not in usable:
            raise RuntimeError(f"usable instruction sets: {usable}")

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


class TensorFlow(Implementation):
    """A TensorFlow function, run eagerly, in a graph, or compiled by XLA.

    In a graph every size is unknown while tracing, and the graphs are kept.
    """

    takes_views = False

    def __init__(self, implementation, mode):
        self.name = f"{implementation}-{mode}"
        self.implementation = implementation
        self.mode = mode
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

        tensors = [None if a is None else tf.convert_to_tensor(a) for a in arrays]
        if self.mode == "eager":
            return _to_numpy(function(*tensors))
        specs = [None if t is None else self._spec(t) for t in tensors]
        key = repr((key, specs))
        if key not in self._compiled:
            compiled = tf.function(function, jit_compile=self.mode == "xla" or None)
            self._compiled[key] = compiled.get_concrete_function(*specs)
        return _to_numpy(self._compiled[key](*(t for t in tensors if t is not None)))

    def _spec(self, tensor):
        import tensorflow as tf

        unknown = [None] * tensor.shape.rank
        return tf.TensorSpec(
            tensor.shape if self.mode == "xla" else unknown, tensor.dtype
        )


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


def _to_numpy(tensors):
    import tensorflow as tf

    return tf.nest.map_structure(lambda tensor: tensor.numpy(), tensors)


def _instruction_sets():
    """Those usable here; without the native library, one that says why when loaded."""
    try:
        from statpool import numpy

        return numpy.instruction_sets()
    except Exception:
        return ("native",)


def _all():
    yield Reference()
    yield from map(NumpyCore, _instruction_sets())
    yield from (TensorFlow("composite", mode) for mode in ("eager", "graph", "xla"))
    yield from (TensorFlow("native", mode) for mode in ("eager", "graph", "xla"))


IMPLEMENTATIONS = tuple(_all())
