"""What the layers do with tensors; apart from them, so that they load no TensorFlow."""

import dataclasses

import tensorflow as tf

from statpool import _inputs, _keras, _tensors, ops


def is_ready(layer, inputs) -> bool:
    """Whether nothing of what Keras does around a call concerns these inputs.

    It casts and converts, knows symbols from tensors, finds masks, checks ranks,
    regularises outputs, recomputes them, and says whether it is training.
    """
    return (
        isinstance(inputs, tf.__internal__.EagerTensor)
        and tf.executing_eagerly()
        and inputs.ndim == layer.rank
        and inputs.dtype.name == layer.compute_dtype
        and not hasattr(inputs, "_keras_mask")
        and layer.input_normalization is None
        and layer.activity_regularizer is None
        and getattr(layer, "_remat_mode", None) is None
    )


def pool_sequences(layer, inputs, mask, lengths, training):
    """The 1D layer's statistics, `[B, S * C]` or with keepdims."""
    inputs = as_pooled(layer, inputs)
    return _pool(layer, inputs, mask, lengths, layer.options, training)


def pool_images(layer, inputs, mask, training):
    """The 2D layer's statistics: both axes of the image as one of time."""
    if isinstance(inputs, tf.RaggedTensor):
        raise ValueError(
            f"images must be a dense tensor, got one of shape {inputs.shape} with "
            f"{inputs.ragged_rank} ragged axes; pad them and pass a mask"
        )
    inputs = tf.convert_to_tensor(as_pooled(layer, inputs))
    options = layer.options
    last = options.data_format == "channels_last"
    height, width, channel = (1, 2, 3) if last else (2, 3, 1)
    # Slices, of which every converter knows more than of tf.unstack.
    shape = tf.shape(inputs, out_type=tf.int64)
    sizes = [shape[axis] for axis in range(4)]
    known = inputs.shape.as_list()
    channels = sizes[channel] if known[channel] is None else known[channel]
    steps = sizes[height] * sizes[width]
    flat = [sizes[0], steps, channels] if last else [sizes[0], channels, steps]
    if mask is not None:
        positions = (0, height, width)
        expected = [sizes[axis] for axis in positions]
        mask = _as_positions(mask, expected, [known[axis] for axis in positions])
        mask = tf.broadcast_to(mask, expected)
        mask = tf.reshape(mask, [sizes[0], steps])
    flat_options = dataclasses.replace(options, keepdims=False)
    y = _pool(layer, tf.reshape(inputs, flat), mask, None, flat_options, training)
    if not options.keepdims:
        return y
    return y[:, None, None, :] if last else y[:, :, None, None]


def _pool(layer, inputs, mask, lengths, options, training):
    arguments = inputs, mask, lengths, options, layer.implementation, layer.name
    if layer.input_normalization is None:
        return ops.pool(*arguments)
    from statpool import _normalization

    return _normalization.pool(layer.input_normalization, training, *arguments)


def as_pooled(layer, inputs):
    """Returns the inputs in the dtype in which they are pooled."""
    if type(inputs).__name__ == "KerasTensor":  # its own a Keras has taken care of
        raise ValueError(
            f"inputs must be tensors of {_keras.NAME}, whose layer this is, got one of "
            f"{type(inputs).__module__.split('.')[0]}; set TF_USE_LEGACY_KERAS=1 for "
            "tf_keras, or 0 for Keras 3, before statpool is imported"
        )
    if not hasattr(inputs.dtype, "name"):  # a variable of Keras 3
        inputs = tf.convert_to_tensor(inputs)
    dtype = layer.pooled_dtype(inputs.dtype)
    return inputs if inputs.dtype.name == dtype else tf.cast(inputs, dtype)


def _as_positions(mask, sizes, known):
    """A mask of images of these sizes as `[B, H, W]` or `[B, H, 1]`."""
    mask = _tensors.dense(mask, "mask")
    rule = "mask must have shape [B, H, W] or [B, H]"
    rank = mask.shape.rank
    if rank is not None:
        _inputs.check_image_mask_shape(mask.shape.as_list(), known)
        if None not in (*mask.shape.as_list(), *known):
            return tf.expand_dims(mask, 2) if rank == 2 else mask
    else:  # decided when the function runs
        is_right = tf.debugging.assert_rank_in(
            mask,
            (2, 3),
            message=f"{rule}; pass one bool for every position, or for every row",
        )
        with tf.control_dependencies([is_right]):
            rank = tf.rank(mask)
    shape = tf.shape(mask, out_type=tf.int64)
    mask = tf.reshape(mask, tf.concat([shape, tf.ones([3 - rank], tf.int64)], 0))
    width = tf.where(tf.equal(rank, 2), tf.ones([], tf.int64), sizes[2])
    return _tensors.of_shape(mask, [*sizes[:2], width], rule)
