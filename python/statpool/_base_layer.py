"""What the pooling layers share: their arguments, dtypes, shapes and configuration.

Keras calls these methods by keyword, so that their arguments have Keras' names.
"""

import functools
import importlib

import numpy as np

from statpool import _arrays, _inputs, _keras
from statpool._options import (
    DEFAULT_STATISTICS,
    Options,
    check_implementation,
    dtype_name,
)

keras = importlib.import_module(_keras.NAME)
BACKEND = keras.backend.backend()
# What the layers do with tensors of a backend, loaded at the first call.
_CALLS = {"tensorflow": "statpool._layer_calls", "jax": "statpool._jax_layer_calls"}


@functools.cache
def _calls():
    return importlib.import_module(_CALLS[BACKEND])


class BaseGlobalStatsPooling(keras.layers.Layer):
    """A layer that pools all axes between batch and channels.

    It has no weights but those of its `input_normalization`.

    Subclasses set `rank`, the rank of their input, and `check_shapes`.
    """

    rank = 0

    def __init__(
        self,
        statistics=DEFAULT_STATISTICS,
        epsilon=1e-12,
        data_format=None,
        keepdims=False,
        output_dtype=None,
        input_activation=None,
        negative_slope=0.2,
        correction=0,
        input_normalization=None,
        implementation="auto",
        **kwargs,
    ):
        if BACKEND not in _CALLS:
            raise ValueError(
                "statpool's layers must run on the TensorFlow or JAX backend of Keras, "
                f"got {BACKEND!r}; set KERAS_BACKEND=tensorflow or jax before Keras is "
                "imported. statpool.numpy needs neither"
            )
        if input_normalization is not None:
            self.check_backend("input_normalization")
        super().__init__(**kwargs)
        self.options = Options.check(
            statistics,
            epsilon,
            data_format or keras.backend.image_data_format(),
            keepdims,
            output_dtype,
            input_activation,
            negative_slope,
            correction,
        )
        self.options.result_dtype(self.compute_dtype)
        if input_normalization is not None:
            from statpool import _normalization

            _normalization.check(input_normalization, self.rank, self.channel)
        self.input_normalization = input_normalization
        self.implementation = implementation
        self.input_spec = keras.layers.InputSpec(ndim=self.rank)
        self.supports_masking = True

    statistics = property(lambda self: self.options.statistics)
    epsilon = property(lambda self: self.options.epsilon)
    data_format = property(lambda self: self.options.data_format)
    keepdims = property(lambda self: self.options.keepdims)
    output_dtype = property(lambda self: self.options.output_dtype)
    input_activation = property(lambda self: self.options.input_activation)
    negative_slope = property(lambda self: self.options.negative_slope)
    correction = property(lambda self: self.options.correction)

    @property
    def channel(self) -> int:
        """The axis of the channels."""
        return self.rank - 1 if self.data_format == "channels_last" else 1

    @property
    def implementation(self):
        """Who computes; may be assigned."""
        return self._implementation

    @implementation.setter
    def implementation(self, implementation):
        self._implementation = check_implementation(implementation)

    def __call__(self, *args, **kwargs):
        """Calls the layer as Keras does.

        What Keras does around `call` takes longer than a short `call`, and does nothing
        where one eager tensor comes as `call` wants it: that goes there at once. Of
        subclasses nobody knows what they need.
        """
        if (
            len(args) == 1
            and not kwargs
            and self._called  # Keras has seen it: built, and noted what savers ask
            and type(self).__module__ == "statpool.layers"
            and self.calls.is_ready(self, args[0])
        ):
            return self.call(args[0])
        return super().__call__(*args, **kwargs)

    @property
    def calls(self):
        """The module of what the layers do with tensors of Keras' backend."""
        return _calls()

    def check_backend(self, argument):
        """Raises a ValueError if the backend has nothing for that argument."""
        if BACKEND != "tensorflow":
            raise ValueError(
                f"{argument} must be left out on Keras' {BACKEND} backend, got one; "
                "set KERAS_BACKEND=tensorflow before Keras is imported"
            )

    def pooled_dtype(self, dtype) -> str:
        """Returns the dtype in which inputs of that dtype are pooled.

        Keras' policy casts floats before; integers have no mean of their own.
        """
        name = dtype_name(dtype)
        return self.compute_dtype if name == "bool" or "int" in name else name

    def build(self, input_shape):
        """Builds the input normalization, which has all weights that there are."""
        if self.input_normalization is not None:
            from statpool import _normalization

            _normalization.build(self.input_normalization, input_shape, self.channel)

    def compute_mask(self, inputs, previous_mask=None):
        """Returns None: the output has no steps left to mask."""
        return

    def compute_output_shape(self, input_shape):
        """Returns the output's shape; unknown sizes stay None."""
        batch, channels = input_shape[0], input_shape[self.channel]
        return tuple(self.options.output_shape(batch, channels, self.rank - 2))

    def compute_output_spec(
        self, inputs, mask=None, lengths=None, inputs_mask=None, training=None
    ):
        """Returns the symbolic output, once the symbolic inputs are checked."""
        mask = inputs_mask if mask is None else mask
        if getattr(inputs, "ragged", False):
            _inputs.check_ragged(
                inputs.shape,
                inputs.ragged_rank or 1,
                lengths is not None,
                self.data_format,
            )
        dtype = self.options.result_dtype(self.pooled_dtype(inputs.dtype))
        if mask is not None:
            _inputs.check_mask_dtype(_arrays.dtype_of(mask))
        if lengths is not None:
            _inputs.check_lengths_dtype(_arrays.dtype_of(lengths))
        self.check_shapes(inputs.shape, _shape(mask), _shape(lengths))
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype)

    def check_shapes(self, inputs, mask, lengths):
        """Raises a ValueError if these shapes, with None for unknown, don't fit."""
        raise NotImplementedError

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "statistics": list(self.statistics),
            "epsilon": self.epsilon,
            "data_format": self.data_format,
            "keepdims": self.keepdims,
            "output_dtype": self.output_dtype,
            "input_activation": self.input_activation,
            "negative_slope": self.negative_slope,
            "correction": self.correction,
            "input_normalization": self.input_normalization
            and keras.saving.serialize_keras_object(self.input_normalization),
            "implementation": self.implementation,
        }

    @classmethod
    def from_config(cls, config):
        """Returns the layer of a configuration."""
        nested = config.get("input_normalization")
        if isinstance(nested, dict):
            layer = keras.saving.deserialize_keras_object(nested)
            config = {**config, "input_normalization": layer}
        return super().from_config(config)


def _shape(argument):
    """The shape of a tensor, symbolic or not, or of a list; None if it is unknown."""
    if argument is None:
        return None
    shape = argument.shape if hasattr(argument, "shape") else np.shape(argument)
    rank_is_unknown = shape is None or getattr(shape, "rank", 0) is None
    return None if rank_is_unknown else tuple(shape)
