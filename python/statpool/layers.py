"""The Keras layers."""

import keras
import tensorflow as tf

from statpool._base_layer import BaseGlobalStatsPooling


@keras.saving.register_keras_serializable(package="statpool")
class GlobalStatsPooling1D(BaseGlobalStatsPooling):
    """Mean, max and L2 norm over time, or other statistics, in one read of the input.

    Replaces `Concatenate` of `GlobalAveragePooling1D`, `GlobalMaxPooling1D` and
    `Lambda(lambda x: sqrt(sum(x**2, axis=1)))`, whose gradient is NaN where a channel
    is silent. No weights.

    Args:
      statistics: Names in output order, of "mean", "max", "min", "l2", "rms", "std".
      epsilon: Added below the root of l2, rms and std; finite and >= 0.
      data_format: "channels_last", "channels_first", or None for
        `keras.config.image_data_format()`.
      keepdims: Whether to keep the axis of time, with size 1.
      output_dtype: None for the compute dtype, or "float32" for norms that 16 bits
        can't hold.
      implementation: "auto", "native" or "composite", see `statpool.global_stats`.
      **kwargs: `name`, `dtype` and what else `keras.layers.Layer` takes.

    Call arguments:
      inputs: The sequences.
      mask: Optional bool `[B, T]`, True = keep; an implicit Keras mask arrives here.
        None is passed on: the output has no time axis to mask.
      lengths: Optional int32 or int64 `[B]`, 0 <= n <= T. A mask counts too, also an
        implicit one.
      inputs_mask: Where Keras passes the implicit mask if there are lengths.

    Input shape:
      `[B, T, C]`, or `[B, C, T]` with channels_first.

    Output shape:
      `[B, S * C]`; with keepdims `[B, 1, S * C]`, or `[B, S * C, 1]`.

    Example:
      >>> layer = GlobalStatsPooling1D()
      >>> layer(np.zeros((32, 80, 20), "float32")).shape
      TensorShape([32, 60])

    Raises:
      ValueError: if an argument of the constructor breaks a rule.
    """

    rank = 3

    def call(self, inputs, mask=None, lengths=None, inputs_mask=None):
        """Pools the inputs over time."""
        # Keras' name for the implicit mask of one of several tensors.
        mask = inputs_mask if mask is None else mask
        return self.pool(inputs, mask, lengths, self.keepdims)


@keras.saving.register_keras_serializable(package="statpool")
class GlobalStatsPooling2D(BaseGlobalStatsPooling):
    """The statistics of `GlobalStatsPooling1D` over both axes of an image.

    For images and spectrograms. A reshape makes one axis of the two, without a copy.

    Args:
      statistics: As `GlobalStatsPooling1D`, like all that follow.
      epsilon: As `GlobalStatsPooling1D`.
      data_format: As `GlobalStatsPooling1D`.
      keepdims: Whether to keep height and width, with size 1.
      output_dtype: As `GlobalStatsPooling1D`.
      implementation: As `GlobalStatsPooling1D`.
      **kwargs: As `GlobalStatsPooling1D`.

    Call arguments:
      inputs: The images.
      mask: Optional bool, True = keep: `[B, H, W]` for every position, or `[B, H]`,
        the form of an implicit Keras mask, for whole rows.

    Input shape:
      `[B, H, W, C]`, or `[B, C, H, W]` with channels_first.

    Output shape:
      `[B, S * C]`; with keepdims `[B, 1, 1, S * C]`, or `[B, S * C, 1, 1]`.

    Example:
      >>> layer = GlobalStatsPooling2D(statistics=("mean", "std"))
      >>> layer(np.zeros((8, 128, 80, 16), "float32")).shape
      TensorShape([8, 32])

    Raises:
      ValueError: if an argument of the constructor or the mask breaks a rule.
    """

    rank = 4

    def call(self, inputs, mask=None):
        """Pools the inputs over height and width."""
        inputs = tf.convert_to_tensor(inputs)
        sizes = tf.unstack(tf.shape(inputs, out_type=tf.int64), num=4)
        last = self.data_format == "channels_last"
        height, width = (1, 2) if last else (2, 3)
        steps = sizes[height] * sizes[width]
        channel = 3 if last else 1
        channels = inputs.shape[channel]  # stays known where it is
        channels = sizes[channel] if channels is None else channels
        batch = sizes[0]
        flat = (batch, steps, channels) if last else (batch, channels, steps)
        if mask is not None:
            positions = [inputs.shape[axis] for axis in (0, height, width)]
            mask = self._check_mask(tf.convert_to_tensor(mask), positions)
            mask = tf.broadcast_to(mask, [batch, sizes[height], sizes[width]])
            mask = tf.reshape(mask, (batch, steps))
        y = self.pool(tf.reshape(inputs, flat), mask)
        if not self.keepdims:
            return y
        return y[:, None, None, :] if last else y[:, :, None, None]

    def _check_mask(self, mask, positions):
        """Returns the mask as `[B, H, W]` or `[B, H, 1]`."""
        rank = mask.shape.rank
        rule = f"mask must have shape [B, H, W] or [B, H] of {positions}, got"
        cure = "; pass one bool for every position, or for every row"
        if rank is None:  # decided when the function runs
            is_right = tf.debugging.assert_rank_in(
                mask, (2, 3), message=f"{rule} another rank{cure}"
            )
            with tf.control_dependencies([is_right]):
                missing = tf.ones([3 - tf.rank(mask)], tf.int32)
            return tf.reshape(mask, tf.concat([tf.shape(mask), missing], 0))
        if rank not in (2, 3) or not mask.shape.is_compatible_with(positions[:rank]):
            raise ValueError(f"{rule} {mask.shape}{cure}")
        return tf.expand_dims(mask, 2) if rank == 2 else mask
