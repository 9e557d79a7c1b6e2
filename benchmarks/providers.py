"""The ways of pooling that are compared. A new one is a few lines here."""

import keras
import tensorflow as tf

from benchmarks import cases
from benchmarks.peers import PEERS
from benchmarks.provider import Provider
from benchmarks.results import BASELINE

# --------------------------------------------- what TensorFlow and Keras users write


def _steps(mask, axis):
    """The mask, shaped to broadcast against x."""
    return tf.expand_dims(mask, 3 - axis)


def _mean(x, mask, axis):
    if mask is None:
        return tf.reduce_mean(x, axis)
    kept = _steps(mask, axis)
    count = tf.reduce_sum(tf.cast(kept, x.dtype), axis)
    return tf.reduce_sum(tf.where(kept, x, 0), axis) / count


def _max(x, mask, axis):
    if mask is not None:
        x = tf.where(_steps(mask, axis), x, x.dtype.min)
    return tf.reduce_max(x, axis)


def _sum_of_squares(x, mask, axis):
    if mask is not None:
        x = tf.where(_steps(mask, axis), x, 0)
    return tf.reduce_sum(x**2, axis)


def _pool_lambda(x, mask, axis):
    """The question's expression: the gradient of the root is infinite at zero."""
    norm = tf.sqrt(_sum_of_squares(x, mask, axis))
    return tf.concat([_mean(x, mask, axis), _max(x, mask, axis), norm], -1)


def _pool_repaired(x, mask, axis):
    norm = tf.sqrt(_sum_of_squares(x, mask, axis) + cases.EPSILON)
    return tf.concat([_mean(x, mask, axis), _max(x, mask, axis), norm], -1)


def _pool_moments(x, mask, axis):
    """The norm from mean and variance, which tf.nn.moments yields together."""
    if mask is None:
        count = tf.cast(tf.shape(x)[axis], x.dtype)
        mean, variance = tf.nn.moments(x, axis)
    else:
        weights = tf.cast(_steps(mask, axis), x.dtype)
        count = tf.reduce_sum(weights, axis)
        mean, variance = tf.nn.weighted_moments(x, axis, weights)
    norm = tf.sqrt((variance + mean**2) * count + cases.EPSILON)
    return tf.concat([mean, _max(x, mask, axis), norm], -1)


def _pool_keras(x, mask, axis):
    """Stock layers; GlobalMaxPooling1D takes no mask, so x is filled for it."""
    data_format = "channels_last" if axis == 1 else "channels_first"
    filled = x if mask is None else tf.where(_steps(mask, axis), x, x.dtype.min)
    # GlobalAveragePooling1D applies a mask to channels_last only.
    average = (
        keras.layers.GlobalAveragePooling1D(data_format)(x)
        if mask is None
        else keras.layers.Lambda(lambda x: _mean(x, mask, axis))(x)
    )
    norm = keras.layers.Lambda(
        lambda x: tf.sqrt(_sum_of_squares(x, mask, axis) + cases.EPSILON)
    )
    largest = keras.layers.GlobalMaxPooling1D(data_format)(filled)
    return keras.layers.Concatenate()([average, largest, norm(x)])


# -------------------------------------------------------------------------- statpool


def _statpool(name, implementation, compiled):
    import statpool

    def pool(x, mask, axis):
        return statpool.global_stats(
            x,
            mask,
            statistics=cases.STATISTICS,
            epsilon=cases.EPSILON,
            data_format="channels_last" if axis == 1 else "channels_first",
            implementation=implementation,
        )

    return Provider(
        name,
        pool,
        compiled=compiled,
        everywhere=implementation == "native",
        audio_pooling="statpool" if implementation == "native" else implementation,
        ours=True,
    )


_PROVIDERS = (
    Provider(BASELINE, _pool_lambda, epsilon=0, audio_pooling="lambda"),
    Provider(
        "Lambda XLA", _pool_lambda, compiled=True, epsilon=0, audio_pooling="lambda"
    ),
    Provider("repaired Lambda", _pool_repaired),
    Provider("repaired Lambda XLA", _pool_repaired, compiled=True),
    Provider("Keras layers", _pool_keras, everywhere=False),
    Provider("tf.nn.moments", _pool_moments, everywhere=False),
    _statpool("statpool composite", "composite", compiled=False),
    _statpool("statpool composite XLA", "composite", compiled=True),
    _statpool("statpool", "native", compiled=False),
    _statpool("statpool XLA", "native", compiled=True),
    Provider("statpool core", engine="core", ours=True),
    Provider("statpool core 1 thread", engine="core", threads=1, ours=True),
)


def select_providers(with_peers: bool) -> tuple[Provider, ...]:
    """All providers, those outside TensorFlow's world on request."""
    return (*_PROVIDERS, *PEERS) if with_peers else _PROVIDERS
