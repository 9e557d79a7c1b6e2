"""The Keras layer."""

import keras
import tensorflow as tf

from statpool import _arguments
from statpool.ops import global_stats


@keras.saving.register_keras_serializable(package="statpool")
class GlobalStatsPooling1D(keras.layers.Layer):
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
      lengths: Optional int32 or int64 `[B]`, 0 <= n <= T.

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

    def __init__(
        self,
        statistics=_arguments.DEFAULT_STATISTICS,
        epsilon=1e-12,
        data_format=None,
        keepdims=False,
        output_dtype=None,
        implementation="auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.statistics = _arguments.check_statistics(statistics)
        self.epsilon = _arguments.check_epsilon(epsilon)
        self.data_format = _arguments.check_data_format(
            data_format or keras.config.image_data_format()
        )
        self.keepdims = _arguments.check_keepdims(keepdims)
        _arguments.check_output_dtype(self.compute_dtype, output_dtype)
        self.output_dtype = output_dtype
        self.implementation = _arguments.check_implementation(implementation)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.supports_masking = True

    def call(self, inputs, mask=None, lengths=None):
        """Pools the inputs."""
        return global_stats(
            inputs,
            mask,
            lengths,
            statistics=self.statistics,
            epsilon=self.epsilon,
            data_format=self.data_format,
            keepdims=self.keepdims,
            output_dtype=self.output_dtype,
            implementation=self.implementation,
            name=self.name,
        )

    def compute_mask(self, inputs, previous_mask=None):
        """Returns None: the output has no steps left to mask."""
        return

    def compute_output_shape(self, inputs_shape):
        """Returns the output's shape; unknown sizes stay None."""
        last = self.data_format == "channels_last"
        batch, channels = inputs_shape[0], inputs_shape[2 if last else 1]
        width = None if channels is None else len(self.statistics) * channels
        if not self.keepdims:
            return (batch, width)
        return (batch, 1, width) if last else (batch, width, 1)

    def compute_output_spec(self, inputs, mask=None, lengths=None):
        """Returns the symbolic output: `output_dtype` may differ from the layer's."""
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, self.output_dtype or self.compute_dtype)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "statistics": list(self.statistics),
            "epsilon": self.epsilon,
            "data_format": self.data_format,
            "keepdims": self.keepdims,
            "output_dtype": self.output_dtype and tf.as_dtype(self.output_dtype).name,
            "implementation": self.implementation,
        }
