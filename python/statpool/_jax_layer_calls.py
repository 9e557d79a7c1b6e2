"""What the layers do with arrays of JAX; see `_layer_calls` for those of TensorFlow."""

import dataclasses

import jax.numpy as jnp

from statpool import _inputs
from statpool import jax as statpool_jax


def is_ready(layer, inputs) -> bool:
    """Whether Keras' way of calling a layer can be left out: here never."""
    return False


def pool_sequences(layer, inputs, mask, lengths, training):
    """The 1D layer's statistics, `[B, S * C]` or with keepdims."""
    inputs = _as_pooled(layer, inputs)
    return _pool(layer, inputs, mask, lengths, layer.options)


def pool_images(layer, inputs, mask, training):
    """The 2D layer's statistics: both axes of the image as one of time."""
    inputs = _as_pooled(layer, inputs)
    options, shape = layer.options, inputs.shape
    last = options.data_format == "channels_last"
    positions = (shape[0], *(shape[1:3] if last else shape[2:4]))
    steps = positions[1] * positions[2]
    if mask is not None:
        mask = jnp.asarray(mask)
        _inputs.check_image_mask_shape(mask.shape, positions)
        mask = mask if mask.ndim == 3 else mask[:, :, None]
        mask = jnp.broadcast_to(mask, positions).reshape(positions[0], steps)
    flat = (shape[0], steps, shape[3]) if last else (shape[0], shape[1], steps)
    flat_options = dataclasses.replace(options, keepdims=False)
    y = _pool(layer, inputs.reshape(flat), mask, None, flat_options)
    if not options.keepdims:
        return y
    return y[:, None, None, :] if last else y[:, :, None, None]


def _pool(layer, inputs, mask, lengths, options):
    return statpool_jax.pool(inputs, mask, lengths, options, layer.implementation)


def _as_pooled(layer, inputs):
    """The inputs in the dtype in which they are pooled."""
    inputs = jnp.asarray(inputs)
    return inputs.astype(layer.pooled_dtype(inputs.dtype))
