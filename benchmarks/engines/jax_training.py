"""A training step: convolution, ReLU, max pooling, pooling over time, dense; SGD.

The fair fight: XLA may fuse the layers before into its own reductions, while a custom
call makes it write x first. The first example is silence, as padded clips are.
"""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import cases, measure

_FEATURES, _KERNEL, _CLASSES, _RATE = 40, 5, 10, 1e-2


def training_step(pool, case: cases.Case):
    """Returns a runner of steps, and the loss after one; `case` is the pooling's."""
    random = np.random.default_rng(0)

    def draw(*shape):
        scale = 1 / np.sqrt(np.prod(shape[:-1]))
        numbers = random.normal(0, scale, shape)
        return jnp.asarray(numbers.astype(cases.numpy_dtype(case.dtype)))

    series = draw(case.batch, 2 * case.time, _FEATURES).at[0].set(0) * 100
    labels = jnp.asarray(random.integers(0, _CLASSES, case.batch))
    now = [
        draw(_KERNEL, _FEATURES, case.channels),
        draw(len(cases.STATISTICS) * case.channels, _CLASSES),
    ]

    def loss(weights):
        filters, dense = weights
        x = jax.lax.conv_general_dilated(
            series, filters, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        )
        x = jax.nn.relu(x)
        x = x.reshape(case.batch, case.time, 2, case.channels).max(2)
        logits = (pool(x, None, 1) @ dense).astype(jnp.float32)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
        return -picked.mean()

    @jax.jit
    def step(weights):
        value, slopes = jax.value_and_grad(loss)(weights)
        update = jax.tree.map(
            lambda w, s: (w - _RATE * s).astype(w.dtype), weights, slopes
        )
        return value, update

    def call():
        nonlocal now
        _, now = step(now)

    call()
    after_one = float(step(now)[0])
    return measure.calls(call, lambda: jax.block_until_ready(now)), after_one
