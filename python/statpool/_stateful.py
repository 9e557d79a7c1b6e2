"""The state of a stateful layer, in variables."""

import tensorflow as tf

from statpool import _keras, _layer_calls, streaming
from statpool.numpy import streaming as numpy_streaming
from statpool.streaming import State

# Sums stay float64, whatever the layer computes in.
_AS_IT_IS = {"keras": "autocast", "tf_keras": "experimental_autocast"}[_keras.NAME]


def build(layer, batch, channels) -> State:
    """Returns the variables of a state, which are weights of the layer."""
    if batch is None or channels is None:
        raise ValueError(
            "a stateful layer must know the size of its batch and the channels, got "
            f"{[batch, channels]}; make the input by keras.Input(batch_shape=...)"
        )
    dtype = "float64" if layer.compute_dtype == "float64" else "float32"
    empty = numpy_streaming.init(batch, channels, dtype)
    return State(
        *(
            layer.add_weight(
                name=name,
                shape=value.shape,
                dtype=value.dtype.name,
                initializer=_filled(value.flat[0] if value.size else 0),
                trainable=False,
                **{_AS_IT_IS: False},
            )
            for name, value in empty._asdict().items()
        )
    )


def _filled(value):
    return lambda shape, dtype=None: tf.fill(shape, tf.constant(value, dtype))


def reset(variables) -> None:
    """Begins new sequences."""
    batch, channels = variables.max.shape
    dtype = "float64" if "float64" in str(variables.max.dtype) else "float32"
    _assign(variables, numpy_streaming.init(batch, channels, dtype))


def pool(layer, inputs, mask, lengths):
    """Returns the statistics of all steps since the last reset."""
    options = layer.options
    inputs = _layer_calls.as_pooled(layer, inputs)
    state = streaming.update(
        State(*map(tf.convert_to_tensor, layer.state)),
        inputs,
        mask,
        lengths,
        data_format=options.data_format,
        input_activation=options.input_activation,
        negative_slope=options.negative_slope,
        implementation=layer.implementation,
        name=layer.name,
    )
    _assign(layer.state, state)
    y = streaming.result(
        state,
        options.statistics,
        options.epsilon,
        correction=options.correction,
        output_dtype=options.result_dtype(inputs.dtype),
    )
    return tf.expand_dims(y, options.time) if options.keepdims else y


def _assign(variables, state):
    for variable, value in zip(variables, state, strict=True):
        variable.assign(tf.ensure_shape(value, variable.shape))
