"""What the pooling layers share: their arguments, dtypes, shapes and configuration."""

import keras
import tensorflow as tf

from statpool import _arguments
from statpool.ops import global_stats


class BaseGlobalStatsPooling(keras.layers.Layer):
    """A layer without weights that pools all axes between batch and channels.

    Subclasses set `rank`, the rank of their input.
    """

    rank = 0

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
        self.output_dtype = output_dtype and tf.as_dtype(output_dtype).name
        self.implementation = _arguments.check_implementation(implementation)
        self.input_spec = keras.layers.InputSpec(ndim=self.rank)
        self.supports_masking = True

    def pool(self, inputs, mask=None, lengths=None, keepdims=False):
        """Returns the statistics of sequences, with this layer's options."""
        return global_stats(
            inputs,
            mask,
            lengths,
            statistics=self.statistics,
            epsilon=self.epsilon,
            data_format=self.data_format,
            keepdims=keepdims,
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
        batch, channels = inputs_shape[0], inputs_shape[-1 if last else 1]
        width = None if channels is None else len(self.statistics) * channels
        pooled = (1,) * (self.rank - 2) if self.keepdims else ()
        return (batch, *pooled, width) if last else (batch, width, *pooled)

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
            "output_dtype": self.output_dtype,
            "implementation": self.implementation,
        }
