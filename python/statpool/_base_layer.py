"""What the pooling layers share: their arguments, dtypes, shapes and configuration."""

import dataclasses

import keras

from statpool import ops
from statpool._options import DEFAULT_STATISTICS, Options, check_implementation


class BaseGlobalStatsPooling(keras.layers.Layer):
    """A layer without weights that pools all axes between batch and channels.

    Subclasses set `rank`, the rank of their input.
    """

    rank = 0

    def __init__(
        self,
        statistics=DEFAULT_STATISTICS,
        epsilon=1e-12,
        data_format=None,
        keepdims=False,
        output_dtype=None,
        implementation="auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._options = Options.check(
            statistics,
            epsilon,
            data_format or keras.config.image_data_format(),
            keepdims,
            output_dtype,
        )
        self._options.result_dtype(self.compute_dtype)
        self.implementation = check_implementation(implementation)
        self.input_spec = keras.layers.InputSpec(ndim=self.rank)
        self.supports_masking = True

    statistics = property(lambda self: self._options.statistics)
    epsilon = property(lambda self: self._options.epsilon)
    data_format = property(lambda self: self._options.data_format)
    keepdims = property(lambda self: self._options.keepdims)
    output_dtype = property(lambda self: self._options.output_dtype)

    def pool(self, inputs, mask=None, lengths=None, keepdims=False):
        """Returns the statistics of sequences, with this layer's options."""
        options = dataclasses.replace(self._options, keepdims=keepdims)
        return ops.pool(inputs, mask, lengths, options, self.implementation, self.name)

    def compute_mask(self, inputs, previous_mask=None):
        """Returns None: the output has no steps left to mask."""
        return

    def compute_output_shape(self, input_shape):
        """Returns the output's shape; unknown sizes stay None."""
        channel = -1 if self.data_format == "channels_last" else 1
        batch, channels = input_shape[0], input_shape[channel]
        return tuple(self._options.output_shape(batch, channels, self.rank - 2))

    def compute_output_spec(self, inputs, mask=None, lengths=None, inputs_mask=None):
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
