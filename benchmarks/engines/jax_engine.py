"""JAX as an engine: jitted functions called from Python, and a training step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import cases, measure
from benchmarks.engines import Engine
from benchmarks.engines.jax_training import training_step
from benchmarks.providers import Provider

_MOST_TRAINED_ON_CPU = 32 << 20  # bytes of the pooling's input; more takes minutes


def _pooling(epsilon):
    """XLA compiles it as it compiles a Keras model."""

    def pool(x, mask, axis):
        kept = True if mask is None else jnp.expand_dims(mask, 3 - axis)
        norm = jnp.sqrt(jnp.sum(x * x, axis, where=kept) + epsilon)
        largest = jnp.max(x, axis, where=kept, initial=-jnp.inf)
        return jnp.concatenate([jnp.mean(x, axis, where=kept), largest, norm], -1)

    return pool


def _statpool(x, mask, axis):
    from benchmarks.jax_ffi import pooling

    return pooling.global_stats(x, mask, axis)


_REPAIRED = _pooling(cases.EPSILON)
PROVIDERS = (
    Provider("JAX Lambda", _pooling(0.0), "jax", compiled=True, epsilon=0),
    Provider("JAX jit", _REPAIRED, "jax", compiled=True),
    Provider("JAX statpool", _statpool, "jax", compiled=True, ours=True),
)


def create(device: str) -> "JaxEngine":
    """Creates the engine."""
    jax.config.update("jax_enable_x64", True)
    return JaxEngine(jax.devices(device)[0])


class JaxEngine(Engine):
    """Runs providers under jax.jit on one device."""

    def __init__(self, device):
        self._device, self._on_gpu = device, device.platform == "gpu"

    def handles(self, provider, cell):
        """Has no loop inside a graph, which only small inputs need."""
        if cell.dispatch == "step":
            return self._on_gpu or cell.case.input_bytes <= _MOST_TRAINED_ON_CPU
        return cell.dispatch in ("call", "graph") and not cell.in_loop

    def place(self, arrays):
        """Copies the inputs to the device."""
        return jax.device_put((arrays.x, arrays.upstream, arrays.mask), self._device)

    def outputs(self, provider, mode, case, placed):
        """Runs once."""
        outputs = _function(provider, mode, case)(*placed)
        return [np.asarray(output) for output in outputs]

    def runner(self, provider, cell, placed):
        """Calls from Python."""
        function, last = _function(provider, cell.mode, cell.case), None

        def call():
            nonlocal last
            last = function(*placed)
            if not self._on_gpu:  # whose stream runs calls in turn
                jax.block_until_ready(last)

        return measure.calls(call, lambda: jax.block_until_ready(last))

    def training(self, provider, case):
        """A runner of steps, its loss after one, and that of the repaired Lambda."""
        with jax.default_device(self._device):
            _, right = training_step(_REPAIRED, case)
            return *training_step(provider.pool, case), right


def _function(provider, mode, case):
    def operation(x, upstream, mask):
        pool = functools.partial(provider.pool, mask=mask, axis=case.time_axis)
        if mode == cases.FORWARD:
            return [pool(x)]
        y, pull_back = jax.vjp(pool, x)
        return [y, *pull_back(upstream)]

    return jax.jit(operation)
