"""TensorFlow as an engine: tf.functions, with or without XLA."""

import dataclasses
import warnings

import numpy as np
import tensorflow as tf

from benchmarks import cases, engines
from benchmarks.engines import dispatch, tensorflow_loops
from benchmarks.measure import Runner
from benchmarks.providers import Provider


def create(device: str) -> engines.Engine:
    """Creates the engine."""
    tf.get_logger().setLevel("ERROR")  # It warns of the many functions traced here.
    # Stock TensorFlow's mean over T = 10^6 steps needs a number float16 doesn't have.
    warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
    if device == "gpu" and not tf.config.list_physical_devices("GPU"):
        raise RuntimeError("TensorFlow sees no GPU here")
    return TensorFlowEngine(f"/{device.upper()}:0")


@dataclasses.dataclass(frozen=True)
class Placed:
    """Inputs of a case as tensors on the device."""

    x: tf.Tensor
    upstream: tf.Tensor
    mask: tf.Tensor | None


class TensorFlowEngine:
    """Runs providers as tf.functions on one device."""

    def __init__(self, device: str):
        self._device = device

    def handles(self, cell: cases.Cell) -> bool:
        """Takes everything but the core."""
        return cell.dispatch != "core"

    def place(self, arrays: cases.Inputs) -> Placed:
        """Copies the inputs to the device."""
        with tf.device(self._device):
            mask = None if arrays.mask is None else tf.constant(arrays.mask)
            return Placed(tf.constant(arrays.x), tf.constant(arrays.upstream), mask)

    def outputs(self, provider, mode, case, placed) -> list[np.ndarray]:
        """Runs once."""
        function = self._function(provider, mode, case)
        outputs = function(placed.x, placed.upstream, placed.mask)
        return [tensor.numpy() for tensor in outputs]

    def runner(self, provider: Provider, cell: cases.Cell, placed: Placed) -> Runner:
        """Makes a loop inside one graph, or calls from Python."""
        if not dispatch.in_loop(cell):
            return self._call_runner(provider, cell, placed)
        operation = make_operation(provider, cell.mode, cell.case)
        if provider.compiled:
            runner = tensorflow_loops.compiled_runner(operation, cell.mode, placed)
        else:
            runner = tensorflow_loops.graph_runner(operation, cell.mode, placed)
        return self._on_device(runner)

    def empty_runner(self, cell: cases.Cell, placed: Placed) -> Runner:
        """Makes the loop inside one graph with calls that do nothing."""

        def operation(x, upstream, mask):
            return [upstream] if cell.mode == cases.FORWARD else [upstream, x]

        return self._on_device(
            tensorflow_loops.graph_runner(operation, cell.mode, placed)
        )

    def _function(self, provider, mode, case):
        operation = make_operation(provider, mode, case)
        compiled = provider.compiled or None
        function = tf.function(operation, jit_compile=compiled, autograph=False)

        def call(*arguments):
            with tf.device(self._device):
                return function(*arguments)

        return call

    def _call_runner(self, provider, cell, placed) -> Runner:
        function = self._function(provider, cell.mode, cell.case)
        return dispatch.python_calls(
            lambda x: function(x, placed.upstream, placed.mask),
            cell.case,
            placed.x,
            copy=tf.identity,
            wait=tf.test.experimental.sync_devices,
        )

    def _on_device(self, runner: Runner) -> Runner:
        def run(batches):
            with tf.device(self._device):
                runner.run(batches)
                tf.test.experimental.sync_devices()

        return dataclasses.replace(runner, run=run)


def make_operation(provider: Provider, mode: str, case: cases.Case):
    """Makes the function of x, upstream and mask that is timed and checked."""

    def operation(x, upstream, mask):
        if mode == cases.FORWARD:
            return [provider.pool(x, mask, case.time_axis)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = provider.pool(x, mask, case.time_axis)
        return [y, tape.gradient(y, x, upstream)]

    return operation
