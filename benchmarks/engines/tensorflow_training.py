"""Training steps of TensorFlow: one model, which pools over time in three ways.

Stock, statpool behind stock layers, and statpool with what is before it inside.
"""

import math

import keras
import numpy as np
import tensorflow as tf

import statpool
from benchmarks import cases
from benchmarks.engines import hlo

FEATURES, KERNEL, CLASSES, RATE = 40, 5, 10, 1e-2
_XVECTOR_CHANNELS = 512  # of its first block, at most
# No array moves.
_FREE = {"Const", "ExpandDims", "Identity", "IdentityN", "NoOp", "Placeholder"}
_FREE |= {"ReadVariableOp", "Reshape", "Squeeze", "StopGradient"}


def make_step(provider, mode: str, case: cases.Case):
    """A function that takes a step of SGD and returns the loss before it.

    `case` is the pooling's. The first example is silence, as padded clips are.
    """
    random = np.random.default_rng(0)
    steps = case.time * (2 if mode == cases.TRAIN else 1)
    series = random.normal(0, 1, (case.batch, steps, FEATURES))
    series[0] = 0
    series = tf.constant(series, case.dtype)
    labels = tf.constant(random.integers(0, CLASSES, case.batch))
    model = _model(provider, mode, case)
    model.build(series.shape)

    def step():
        with tf.GradientTape() as tape:
            logits = tf.cast(model(series, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        variables = model.trainable_variables
        slopes = tape.gradient(loss, variables)
        for variable, slope in zip(variables, slopes, strict=True):
            variable.assign_sub(tf.cast(RATE, slope.dtype) * slope)
        return loss

    return tf.function(step, jit_compile=provider.compiled or None, autograph=False)


def bytes_accessed(step, compiled: bool) -> int:
    """Operands and results of what XLA runs, or of all ops of the traced graph."""
    if compiled:
        return hlo.bytes_accessed(
            step.experimental_get_compiler_ir()(stage="optimized_hlo")
        )
    operations = step.get_concrete_function().graph.get_operations()
    return sum(
        math.prod(array.shape) * array.dtype.size
        for operation in operations
        if operation.type not in _FREE
        for array in (*operation.inputs, *operation.outputs)
    )


def _model(provider, mode, case):
    """The weights are the same for every provider."""
    keras.utils.set_random_seed(0)
    dtype, is_xvector = {"dtype": case.dtype}, mode == cases.TRAIN_XVECTOR
    first = [min(case.channels, _XVECTOR_CHANNELS)] * is_xvector
    layers, normalization = [], None
    for channels in (*first, case.channels):
        layers.append(keras.layers.Conv1D(channels, KERNEL, padding="same", **dtype))
        before = [keras.layers.ReLU(**dtype)]
        if is_xvector:
            normalization = keras.layers.BatchNormalization(**dtype)
            before.append(normalization)
        layers += before
    if provider.inside:
        del layers[-len(before) :]
    if mode == cases.TRAIN:
        layers.append(keras.layers.MaxPooling1D(2, **dtype))
    if provider.ours:
        pooling = statpool.GlobalStatsPooling1D(
            ("mean", "std") if is_xvector else cases.STATISTICS,
            cases.EPSILON,
            input_activation="relu" if provider.inside else None,
            input_normalization=normalization if provider.inside else None,
            implementation="native",
            **dtype,
        )
    else:
        pool = _mean_and_std if is_xvector else provider.pool
        pooling = keras.layers.Lambda(lambda x: pool(x, None, 1), **dtype)
    return keras.Sequential([*layers, pooling, keras.layers.Dense(CLASSES, **dtype)])


def _mean_and_std(x, _, axis):
    mean, variance = tf.nn.moments(x, axis)
    return tf.concat([mean, tf.sqrt(variance + cases.EPSILON)], -1)
