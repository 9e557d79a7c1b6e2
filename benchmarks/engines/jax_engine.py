"""JAX as an engine: jitted functions called from Python, and a training step.

The step is the fair fight: XLA may fuse the layers before into its own reductions,
while a custom call makes it write x first.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import statpool.jax
from benchmarks import cases, measure
from benchmarks.engines import Engine, training
from benchmarks.providers import Provider


def _pooling(epsilon):
    """XLA compiles it as it compiles a Keras model."""

    def pool(x, mask, axis):
        kept = True if mask is None else jnp.expand_dims(mask, 3 - axis)
        norm = jnp.sqrt(jnp.sum(x * x, axis, where=kept) + epsilon)
        largest = jnp.max(x, axis, where=kept, initial=-jnp.inf)
        return jnp.concatenate([jnp.mean(x, axis, where=kept), largest, norm], -1)

    return pool


def _statpool(x, mask, axis, input_activation=None):
    return statpool.jax.global_stats(
        x,
        mask,
        statistics=cases.STATISTICS,
        epsilon=cases.EPSILON,
        data_format="channels_last" if axis == 1 else "channels_first",
        input_activation=input_activation,
        implementation="native",
    )


_WITH_RELU = functools.partial(_statpool, input_activation="relu")
_TRAINS = {"engine": "jax", "compiled": True, "trains": True}
_REPAIRED = Provider("JAX jit", _pooling(cases.EPSILON), **_TRAINS)
PROVIDERS = (
    Provider("JAX Lambda", _pooling(0.0), "jax", compiled=True, epsilon=0),
    _REPAIRED,
    Provider("JAX statpool", _statpool, ours=True, **_TRAINS),
    Provider("JAX statpool inside", _WITH_RELU, ours=True, inside=True, **_TRAINS),
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
        """Takes training steps too; no layer of JAX's has a normalisation inside."""
        is_step = cell.dispatch == "step" and cell.mode != cases.TRAIN_XVECTOR
        return is_step or super().handles(provider, cell)

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

    def training(self, provider, cell):
        """The right loss is that of the repaired Lambda."""
        with jax.default_device(self._device):
            _, right, _ = _training_step(_REPAIRED, cell)
            return *_training_step(provider, cell), right


def _function(provider, mode, case):
    def operation(x, upstream, mask):
        pool = functools.partial(provider.pool, mask=mask, axis=case.time_axis)
        if mode == cases.FORWARD:
            return [pool(x)]
        y, pull_back = jax.vjp(pool, x)
        return [y, *pull_back(upstream)]

    return jax.jit(operation)


def _training_step(provider, cell: cases.Cell):
    """Returns a runner of steps, the loss after one, and the bytes of one.

    Convolution, ReLU, max pooling or none, pooling over time, dense; SGD. The cell's
    case is the pooling's. The first example is silence, as padded clips are.
    """
    case, halved = cell.case, 2 if cell.mode == cases.TRAIN else 1
    random = np.random.default_rng(0)

    def draw(*shape):
        scale = 1 / np.sqrt(np.prod(shape[:-1]))
        numbers = random.normal(0, scale, shape)
        return jnp.asarray(numbers.astype(cases.numpy_dtype(case.dtype)))

    series = draw(case.batch, halved * case.time, training.FEATURES).at[0].set(0) * 100
    labels = jnp.asarray(random.integers(0, training.CLASSES, case.batch))
    now = [
        draw(training.KERNEL, training.FEATURES, case.channels),
        draw(len(cases.STATISTICS) * case.channels, training.CLASSES),
    ]

    def loss(weights):
        filters, dense = weights
        x = jax.lax.conv_general_dilated(
            series, filters, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )
        x = x if provider.inside else jax.nn.relu(x)
        if halved == 2:
            x = x.reshape(case.batch, case.time, 2, case.channels).max(2)
        logits = (provider.pool(x, None, 1) @ dense).astype(jnp.float32)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -picked.mean()

    def update(weights):
        value, slopes = jax.value_and_grad(loss)(weights)
        return value, jax.tree.map(
            lambda w, s: (w - training.RATE * s).astype(w.dtype), weights, slopes
        )

    step = jax.jit(update).lower(now).compile()

    def call():
        nonlocal now
        _, now = step(now)

    call()
    after_one = float(step(now)[0])
    runner = measure.calls(call, lambda: jax.block_until_ready(now))
    return runner, after_one, training.bytes_accessed(step.as_text())
