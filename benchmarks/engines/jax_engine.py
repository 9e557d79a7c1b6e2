"""JAX as an engine: jitted functions."""

import functools

import jax
import numpy as np

from benchmarks import cases
from benchmarks.engines import dispatch
from benchmarks.measure import Runner

_TINY = 4096  # Bytes of x below which XLA makes one piece of machine code of the loop.


def create(device: str) -> "JaxEngine":
    """Creates the engine."""
    jax.config.update("jax_enable_x64", True)
    return JaxEngine(jax.devices(device)[0])


class JaxEngine:
    """Runs providers under jax.jit on one device."""

    def __init__(self, device):
        self._device = device

    def handles(self, cell: cases.Cell) -> bool:
        """Takes calls, and loops in one graph."""
        return cell.dispatch in ("call", "graph")

    def place(self, arrays: cases.Inputs):
        """Copies the inputs to the device."""
        return jax.device_put((arrays.x, arrays.upstream, arrays.mask), self._device)

    def outputs(self, provider, mode, case, placed) -> list[np.ndarray]:
        """Runs once."""
        return [
            np.asarray(a) for a in jax.jit(_operation(provider, mode, case))(*placed)
        ]

    def runner(self, provider, cell: cases.Cell, placed) -> Runner:
        """Makes a loop inside one graph, or calls from Python."""
        operation = _operation(provider, cell.mode, cell.case)
        if dispatch.in_loop(cell):
            return _loop_runner(operation, placed)
        function = jax.jit(operation)
        on_gpu = self._device.platform == "gpu"  # whose stream runs calls in turn
        last = None

        def call(x):
            nonlocal last
            last = function(x, *placed[1:])
            if not on_gpu:
                jax.block_until_ready(last)

        return dispatch.python_calls(
            call,
            cell.case,
            placed[0],
            copy=jax.numpy.copy,
            wait=lambda: jax.block_until_ready(last),
        )


def _loop_runner(operation, placed) -> Runner:
    """As for TensorFlow under XLA: the barrier keeps the call inside the loop."""

    @jax.jit
    def loop(turns, placed):
        def body(turn, state):
            (x, *others), _ = state
            gated, _ = jax.lax.optimization_barrier(((x, *others), turn))
            outputs = operation(*gated)
            if x.nbytes < _TINY:
                inf = sum(jax.numpy.isinf(output.ravel()[0]) for output in outputs)
                x = gated[0] + inf.astype(x.dtype)
            return (x, *others), outputs

        shapes = jax.eval_shape(operation, *placed)
        zeros = [jax.numpy.zeros(s.shape, s.dtype) for s in shapes]
        return jax.lax.fori_loop(0, turns, body, (placed, zeros))[1]

    return Runner(lambda turns: jax.block_until_ready(loop(turns, placed)))


def _operation(provider, mode, case):
    def operation(x, upstream, mask):
        pool = functools.partial(provider.pool, mask=mask, axis=case.time_axis)
        if mode == cases.FORWARD:
            return [pool(x)]
        y, pull_back = jax.vjp(pool, x)
        return [y, *pull_back(upstream)]

    return operation
