"""The Keras layers.

With TF_USE_LEGACY_KERAS=1, as TensorFlow reads it, they are layers of tf_keras.
"""

from statpool import _inputs
from statpool._base_layer import BaseGlobalStatsPooling, keras


@keras.saving.register_keras_serializable(package="statpool")
class GlobalStatsPooling1D(BaseGlobalStatsPooling):
    """Mean, max and L2 norm over time, or other statistics, in one read of the input.

    Replaces `Concatenate` of `GlobalAveragePooling1D`, `GlobalMaxPooling1D` and
    `Lambda(lambda x: sqrt(sum(x**2, axis=1)))`, whose gradient is NaN where a channel
    is silent. No weights but those of `input_normalization`.

    Args:
      statistics: Names in output order, of "mean", "max", "min", "l2", "rms", "std".
      epsilon: Added below the root of l2, rms and std; finite and >= 0.
      data_format: "channels_last", "channels_first", or None for
        `keras.config.image_data_format()`.
      keepdims: Whether to keep the axis of time, with size 1.
      output_dtype: None for the compute dtype, or "float32" for norms that 16 bits
        can't hold.
      input_activation: None, "relu" or "leaky_relu": pools that of the inputs, in the
        same read.
      negative_slope: Of leaky_relu, above 0 and at most 1.
      correction: 0, or 1 for std over N - 1 in place of N.
      input_normalization: None, or a `keras.layers.BatchNormalization` of the channels:
        pools its output for the (activated) inputs, in the same read. It stays a layer
        of its own, with its weights.
      implementation: "auto", "native" or "composite", see `statpool.global_stats`.
      stateful: Whether each call continues the sequences of the one before, as in
        Keras' recurrent layers: its output has the statistics of all steps since
        `reset_state()`. The batch must have a fixed size. The state is saved with the
        weights, and a constant for gradients.
      **kwargs: `name`, `dtype` and what else `keras.layers.Layer` takes.

    Call arguments:
      inputs: The sequences; a `tf.RaggedTensor` `[B, (T), C]` brings its own lengths.
        Integers are cast to the compute dtype.
      mask: Optional bool `[B, T]`, True = keep, or numbers 1 and 0; an implicit Keras
        mask arrives here. None is passed on: the output has no time axis to mask.
      lengths: Optional int32 or int64 `[B]` or `[B, 1]`, 0 <= n <= T. A mask counts
        too, also an implicit one.
      inputs_mask: Where Keras passes the implicit mask if there are lengths.
      training: As `keras.layers.BatchNormalization` takes it, for input_normalization.

    Input shape:
      `[B, T, C]`, or `[B, C, T]` with channels_first.

    Output shape:
      `[B, S * C]`; with keepdims `[B, 1, S * C]`, or `[B, S * C, 1]`.

    Example:
      >>> layer = GlobalStatsPooling1D()
      >>> layer(np.zeros((32, 80, 20), "float32")).shape
      TensorShape([32, 60])

    Raises:
      ValueError: if an argument of the constructor breaks a rule, or Keras runs on
        another backend than TensorFlow and JAX; while a model is built, if the symbolic
        inputs don't fit.
    """

    rank = 3

    def __init__(self, *args, stateful=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.stateful = bool(stateful)
        if self.stateful:
            self.check_backend("stateful")
        if self.stateful and self.input_normalization is not None:
            raise ValueError(
                "a stateful layer must have no input_normalization, got one; put the "
                "normalization before it"
            )

    def build(self, input_shape):
        """Builds the state of a stateful layer, which has its batch and channels."""
        super().build(input_shape)
        if self.stateful:
            from statpool import _stateful

            self.state = _stateful.build(
                self, input_shape[0], input_shape[self.channel]
            )

    def reset_state(self):
        """Begins new sequences, if the layer is stateful."""
        if self.stateful and self.built:
            from statpool import _stateful

            _stateful.reset(self.state)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "stateful": self.stateful}

    def call(self, inputs, mask=None, lengths=None, inputs_mask=None, training=None):
        """Pools the inputs over time."""
        # Keras' name for the implicit mask of one of several tensors.
        mask = inputs_mask if mask is None else mask
        if self.stateful:
            from statpool import _stateful

            return _stateful.pool(self, inputs, mask, lengths)
        return self.calls.pool_sequences(self, inputs, mask, lengths, training)

    def check_shapes(self, inputs, mask, lengths):
        """Checks symbolic shapes as a call checks those of tensors."""
        _inputs.check_shapes(inputs, mask, lengths, self.data_format)


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
      input_activation: As `GlobalStatsPooling1D`.
      negative_slope: As `GlobalStatsPooling1D`.
      correction: As `GlobalStatsPooling1D`.
      input_normalization: As `GlobalStatsPooling1D`.
      implementation: As `GlobalStatsPooling1D`.
      **kwargs: As `GlobalStatsPooling1D`.

    Call arguments:
      inputs: The images.
      mask: Optional bool, True = keep, or numbers 1 and 0: `[B, H, W]` for every
        position, or `[B, H]`, the form of an implicit Keras mask, for whole rows.
      training: As `GlobalStatsPooling1D`.

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

    def call(self, inputs, mask=None, training=None):
        """Pools the inputs over height and width."""
        return self.calls.pool_images(self, inputs, mask, training)

    def check_shapes(self, inputs, mask, lengths):
        """Checks symbolic shapes as a call checks those of tensors."""
        height, width = (1, 2) if self.data_format == "channels_last" else (2, 3)
        positions = [inputs[axis] for axis in (0, height, width)]
        _inputs.check_image_mask_shape(mask, positions)
