"""TensorFlow as an implementation: eager, in a graph and compiled, on CPU and GPU."""

import itertools

import numpy as np

from tests.support import emulated_ops
from tests.support.implementation import Implementation
from tests.support.native_build import UnavailableError

MOST_COMPILED = 100  # graphs, of a few MB each


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
        quickly = implementation == "native" and device == "CPU"
        self.compiles_each_shape = mode == "xla" and not quickly
        self.borrows_kernels = mode != "eager"
        # XLA drops the assertions of the composite, and sees no lengths on a GPU.
        self.checks_values = mode != "xla" or quickly
        self._compiled = {}
        self._gradients = set()

    def leeway(self, time):
        """The composite's sums may lose a unit with every step: (8 + T) u, not 8 u."""
        return 1 + time / 8 if self.implementation == "composite" else 1

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
            if len(self._compiled) == MOST_COMPILED:
                self.forget()
            known = _custom_gradients()
            compiled = tf.function(function, jit_compile=self.mode == "xla" or None)
            self._compiled[key] = compiled.get_concrete_function(*specs)
            self._gradients |= _custom_gradients() - known
        return self._compiled[key](*(t for t in tensors if t is not None))

    def forget(self):
        from tensorflow.python.framework import ops

        # TensorFlow never drops a custom gradient that was traced, nor its graph.
        for name in self._gradients:
            del ops.gradient_registry._registry[name]
        self._gradients.clear()
        self._compiled.clear()

    def _spec(self, tensor):
        import tensorflow as tf

        unknown = [None] * tensor.shape.rank
        return tf.TensorSpec(
            tensor.shape if self.mode == "xla" else unknown, tensor.dtype
        )


def _custom_gradients():
    """The names under which TensorFlow keeps custom gradients."""
    from tensorflow.python.framework import ops

    names = ops.gradient_registry._registry
    return {name for name in names if name.startswith("CustomGradient")}


class EmulatedOps(TensorFlow):
    """The OpKernels of the GPU, run by TensorFlow on the CPU: see emulated_ops."""

    is_interpreted = True

    def __init__(self, mode):
        super().__init__("native", mode)
        self.name = f"ops-emulated-{mode}"
        self.borrows_kernels = True  # from the launchers
        # What isn't for every implementation does eagerly.
        self.compiles_each_shape = mode == "graph"

    def run(self, function, *arrays, key):
        with emulated_ops.in_place_of_the_native_op():
            return super().run(function, *arrays, key=key)


class Streamed(TensorFlow):
    """`statpool.streaming`: random pieces, empty ones too, that merge out of order."""

    def __init__(self, implementation, mode):
        super().__init__(implementation, mode)
        self.name = f"streamed-{implementation}-{mode}"
        self.flushes_denormals = True  # in the algebra
        self.is_exact_at_infinity = False
        self.least = 2**24  # a mean of x in a float32
        self.borrows_kernels = True
        # What isn't for every implementation tests the algebra, in Python, once.
        self.compiles_each_shape = implementation == "native"

    def global_stats(self, x, mask=None, lengths=None, **options):
        import tensorflow as tf

        from statpool import _tensors, streaming
        from statpool._options import Options

        with _tensors.invalid_argument_errors():
            checked = Options.check(**options)
        x, mask, lengths = _tensors.check(x, mask, lengths, checked)
        sizes = tf.shape(x, out_type=tf.int64)
        steps = sizes[checked.time]
        anywhere = (steps * 40503 + tf.constant([0, 2741, 5939], tf.int64)) % 10007
        cuts = [0, *tf.unstack(tf.sort(anywhere % (steps + 1))), steps]
        cut_sizes = [end - start for start, end in itertools.pairwise(cuts)]
        pieces = tf.split(x, cut_sizes, checked.time)

        def updated(state, i):
            start, end = cuts[i : i + 2]
            of_piece = None
            if lengths is not None:
                steps_left = tf.cast(lengths, tf.int64) - start
                of_piece = tf.clip_by_value(steps_left, 0, end - start)
            return streaming.update(
                state,
                pieces[i],
                None if mask is None else mask[:, start:end],
                of_piece,
                data_format=checked.data_format,
                input_activation=checked.input_activation,
                negative_slope=checked.negative_slope,
                implementation=self.implementation,
            )

        empty = streaming.init(sizes[0], sizes[checked.channel], x.dtype)
        last = updated(updated(empty, 3), 2)
        first, second = updated(empty, 0), updated(empty, 1)
        y = streaming.result(
            streaming.merge(streaming.merge(second, last), first),
            checked.statistics,
            checked.epsilon,
            correction=checked.correction,
            output_dtype=checked.result_dtype(x.dtype),
        )
        return tf.expand_dims(y, checked.time) if checked.keepdims else y
