"""The ways of pooling outside TensorFlow, each in arrays of its own library."""

from benchmarks import cases
from benchmarks.provider import Provider


def _jax_pooling(epsilon):
    """XLA compiles it as it compiles a Keras model."""

    def pool(x, mask, axis):
        import jax.numpy as jnp

        kept = True if mask is None else jnp.expand_dims(mask, 3 - axis)
        norm = jnp.sqrt(jnp.sum(x * x, axis, where=kept) + epsilon)
        largest = jnp.max(x, axis, where=kept, initial=-jnp.inf)
        return jnp.concatenate([jnp.mean(x, axis, where=kept), largest, norm], -1)

    return pool


def _torch_pooling(epsilon):
    def pool(x, mask, axis):
        import torch

        if mask is None:
            mean, largest = x.mean(axis), x.amax(axis)
        else:
            kept = mask.unsqueeze(3 - axis)
            largest = x.masked_fill(~kept, -torch.inf).amax(axis)
            x = x.masked_fill(~kept, 0)
            mean = x.sum(axis) / kept.sum(axis)
        norm = torch.sqrt((x * x).sum(axis) + epsilon)
        return torch.cat([mean, largest, norm], -1)

    return pool


def _pool_ffi(x, mask, axis):
    from benchmarks.jax_ffi import pooling

    return pooling.global_stats(x, mask, axis)


PEERS = (
    Provider("JAX Lambda", _jax_pooling(0.0), "jax", compiled=True, epsilon=0),
    Provider("JAX jit", _jax_pooling(cases.EPSILON), "jax", compiled=True),
    Provider("JAX statpool", _pool_ffi, "jax", compiled=True, ours=True),
    Provider("torch Lambda", _torch_pooling(0.0), "torch", epsilon=0),
    Provider("torch eager", _torch_pooling(cases.EPSILON), "torch"),
    Provider("torch.compile", _torch_pooling(cases.EPSILON), "torch", compiled=True),
)
