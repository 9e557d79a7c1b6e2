"""TensorFlow as an engine: tf.functions, with or without XLA.

Its providers are the ways of pooling that users write, and statpool's.
"""

import dataclasses
import functools
import warnings

import keras
import numpy as np
import tensorflow as tf

import statpool
from benchmarks import cases, limits, measure
from benchmarks.engines import Engine, tensorflow_loops, tensorflow_training
from benchmarks.providers import Provider
from benchmarks.results import BASELINE


def _lambda(epsilon):
    """The question's expression; without an epsilon the root's gradient is infinite."""

    def pool(x, mask, axis):
        if mask is None:
            filled = zeroed = x
            mean = tf.reduce_mean(x, axis)
        else:
            kept = tf.expand_dims(mask, 3 - axis)
            filled, zeroed = tf.where(kept, x, x.dtype.min), tf.where(kept, x, 0)
            count = tf.reduce_sum(tf.cast(kept, x.dtype), axis)
            mean = tf.reduce_sum(zeroed, axis) / count
        squares = tf.reduce_sum(zeroed**2, axis)
        norm = tf.sqrt(squares + epsilon if epsilon else squares)
        return tf.concat([mean, tf.reduce_max(filled, axis), norm], -1)

    return pool


def _keras(x, mask, axis):
    """Stock layers; GlobalMaxPooling1D takes no mask."""
    data_format = "channels_last" if axis == 1 else "channels_first"
    norm = keras.layers.Lambda(
        lambda x: tf.sqrt(tf.reduce_sum(x**2, axis) + cases.EPSILON)
    )
    average = keras.layers.GlobalAveragePooling1D(data_format)
    largest = keras.layers.GlobalMaxPooling1D(data_format)
    return keras.layers.Concatenate()([average(x), largest(x), norm(x)])


def _statpool(name, implementation, **what):
    def pool(x, mask, axis):
        return statpool.global_stats(
            x,
            mask,
            statistics=cases.STATISTICS,
            epsilon=cases.EPSILON,
            data_format="channels_last" if axis == 1 else "channels_first",
            implementation=implementation,
        )

    native = implementation == "native"
    dtypes = None if native else ("float32",)
    return Provider(name, pool, dtypes=dtypes, ours=True, trains=native, **what)


REPAIRED = Provider("repaired Lambda", _lambda(cases.EPSILON), trains=True)
PROVIDERS = (
    Provider(BASELINE, _lambda(0), epsilon=0),
    Provider("Lambda XLA", _lambda(0), compiled=True, epsilon=0),
    REPAIRED,
    Provider("repaired Lambda XLA", REPAIRED.pool, compiled=True, trains=True),
    Provider("Keras layers", _keras, dtypes=("float32",), takes_masks=False),
    _statpool("statpool composite", "composite"),
    _statpool("statpool composite XLA", "composite", compiled=True),
    _statpool("statpool", "native"),
    _statpool("statpool XLA", "native", compiled=True),
    _statpool("statpool inside", "native", inside=True),
    _statpool("statpool inside XLA", "native", compiled=True, inside=True),
)


def create(device: str) -> "TensorFlowEngine":
    """Creates the engine."""
    tf.get_logger().setLevel("ERROR")  # It warns of the many functions traced here.
    # Stock TensorFlow's mean over T = 10^6 steps needs a number float16 doesn't have.
    warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
    if device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise RuntimeError("TensorFlow sees no GPU here")
    return TensorFlowEngine(device)


class TensorFlowEngine(Engine):
    """Runs providers as tf.functions on one device."""

    def __init__(self, device: str):
        self._on_gpu, self._device = device == "gpu", f"/{device.upper()}:0"

    def handles(self, provider, cell):
        """Takes calls, loops in one graph, and training steps."""
        return cell.dispatch in ("graph", "call", "step")

    def place(self, arrays):
        """Copies the inputs to the device."""
        with tf.device(self._device):
            inputs = arrays.x, arrays.upstream, arrays.mask
            return tuple(None if a is None else tf.constant(a) for a in inputs)

    def outputs(self, provider, mode, case, placed):
        """Runs once."""
        return [t.numpy() for t in self._function(provider, mode, case)(*placed)]

    def runner(self, provider, cell, placed):
        """Makes a loop inside one graph, or calls from Python."""
        if cell.in_loop:
            operation = make_operation(provider, cell.mode, cell.case)
            return self._loop(operation, cell.mode, placed, provider.compiled)
        function = self._function(provider, cell.mode, cell.case)
        return self._calls(functools.partial(function, *placed))

    def limits(self, cell, arrays):
        """The empty call in a loop; on a GPU, TensorFlow's own sum and negation."""
        if cell.in_loop:

            def empty(x, upstream, mask):
                return [upstream] if cell.mode == cases.FORWARD else [upstream, x]

            runner = self._loop(empty, cell.mode, self.place(arrays), False)
            return [limits.Limit(limits.EMPTY, runner)]
        if not self._on_gpu or not limits.is_memory_bound(cell):
            return []
        found = []
        for name, mode, call, passes in (
            (limits.READ, cases.FORWARD, tf.reduce_sum, 1),
            (limits.COPY, cases.BACKWARD, tf.negative, 2),
        ):
            moved = cell.case.moved_bytes(mode)
            size = moved // passes // arrays.x.itemsize
            with tf.device(self._device):
                source = tf.constant(np.resize(arrays.x, size))
            runner = self._calls(functools.partial(tf.function(call), source))
            found.append(limits.Limit(name, runner, moved))
        return found

    def training(self, provider, cell):
        """The right loss is that of stock layers in a graph."""
        with tf.device(self._device):
            make = functools.partial(tensorflow_training.make_step, cell=cell)
            steps = make(provider), make(REPAIRED)
            loss, right = (float([step(), step()][1]) for step in steps)
            moved = tensorflow_training.bytes_of(steps[0], provider.compiled)
        return self._calls(self._placed(steps[0])), loss, moved, right

    def _function(self, provider, mode, case):
        operation = make_operation(provider, mode, case)
        compiled = provider.compiled or None
        function = tf.function(operation, jit_compile=compiled, autograph=False)
        return self._placed(function)

    def _placed(self, function):
        def call(*arguments):
            with tf.device(self._device):
                return function(*arguments)

        return call

    def _calls(self, call) -> measure.Runner:
        return measure.calls(call, tf.test.experimental.sync_devices)

    def _loop(self, operation, mode, placed, compiled) -> measure.Runner:
        loops = (tensorflow_loops.graph_runner, tensorflow_loops.compiled_runner)
        runner = loops[compiled](operation, mode, placed)

        def run(batches):
            with tf.device(self._device):
                runner.run(batches)
                tf.test.experimental.sync_devices()

        return dataclasses.replace(runner, run=run)


def make_operation(provider, mode: str, case: cases.Case):
    """Makes the function of x, upstream and mask that is timed and checked."""

    def operation(x, upstream, mask):
        if mode == cases.FORWARD:
            return [provider.pool(x, mask, case.time_axis)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = provider.pool(x, mask, case.time_axis)
        return [y, tape.gradient(y, x, upstream)]

    return operation
