"""The ways of pooling that TensorFlow and Keras users write, and statpool's."""

import keras
import tensorflow as tf

import statpool
from benchmarks import cases
from benchmarks.providers import Provider
from benchmarks.results import BASELINE


def _lambda(epsilon):
    """The question's expression; without an epsilon the root's gradient is infinite."""

    def pool(x, mask, axis):
        if mask is None:
            filled = zeroed = x
            mean = tf.reduce_mean(x, axis)
        else:
            kept = tf.expand_dims(mask, 3 - axis)
            filled, zeroed = tf.where(kept, x, x.dtype.min), tf.where(kept, x, 0)
            count = tf.reduce_sum(tf.cast(kept, x.dtype), axis)
            mean = tf.reduce_sum(zeroed, axis) / count
        squares = tf.reduce_sum(zeroed**2, axis)
        norm = tf.sqrt(squares + epsilon if epsilon else squares)
        return tf.concat([mean, tf.reduce_max(filled, axis), norm], -1)

    return pool


def _keras(x, mask, axis):
    """Stock layers; GlobalMaxPooling1D takes no mask."""
    data_format = "channels_last" if axis == 1 else "channels_first"
    norm = keras.layers.Lambda(
        lambda x: tf.sqrt(tf.reduce_sum(x**2, axis) + cases.EPSILON)
    )
    average = keras.layers.GlobalAveragePooling1D(data_format)
    largest = keras.layers.GlobalMaxPooling1D(data_format)
    return keras.layers.Concatenate()([average(x), largest(x), norm(x)])


def _statpool(name, implementation, compiled=False):
    def pool(x, mask, axis):
        return statpool.global_stats(
            x,
            mask,
            statistics=cases.STATISTICS,
            epsilon=cases.EPSILON,
            data_format="channels_last" if axis == 1 else "channels_first",
            implementation=implementation,
        )

    dtypes = None if implementation == "native" else ("float32",)
    return Provider(name, pool, compiled=compiled, dtypes=dtypes, ours=True)


REPAIRED = Provider("repaired Lambda", _lambda(cases.EPSILON))
PROVIDERS = (
    Provider(BASELINE, _lambda(0), epsilon=0),
    Provider("Lambda XLA", _lambda(0), compiled=True, epsilon=0),
    REPAIRED,
    Provider("repaired Lambda XLA", REPAIRED.pool, compiled=True),
    Provider("Keras layers", _keras, dtypes=("float32",), takes_masks=False),
    _statpool("statpool composite", "composite"),
    _statpool("statpool composite XLA", "composite", compiled=True),
    _statpool("statpool", "native"),
    _statpool("statpool XLA", "native", compiled=True),
)
