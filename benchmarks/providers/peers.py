"""Peers outside TensorFlow: JAX and PyTorch, each with its compiler."""

from benchmarks import cases
from benchmarks.providers.provider import Provider


def _pool_jax(x, mask, axis):
    import jax.numpy as jnp

    kept = True if mask is None else jnp.expand_dims(mask, 3 - axis)
    norm = jnp.sqrt(jnp.sum(x * x, axis, where=kept) + cases.EPSILON)
    largest = jnp.max(x, axis, where=kept, initial=-jnp.inf)
    return jnp.concatenate([jnp.mean(x, axis, where=kept), largest, norm], -1)


def _pool_torch(x, mask, axis):
    import torch

    if mask is None:
        mean, largest = x.mean(axis), x.amax(axis)
    else:
        kept = mask.unsqueeze(3 - axis)
        largest = x.masked_fill(~kept, -torch.inf).amax(axis)
        x = x.masked_fill(~kept, 0)
        mean = x.sum(axis) / kept.sum(axis)
    norm = torch.sqrt((x * x).sum(axis) + cases.EPSILON)
    return torch.cat([mean, largest, norm], -1)


PROVIDERS = (
    Provider("JAX jit", _pool_jax, engine="jax"),
    Provider("torch.compile", _pool_torch, engine="torch"),
)
