"""Training steps of TensorFlow: one model, whose pooling alone differs."""

import math

import keras
import numpy as np
import tensorflow as tf

import statpool
from benchmarks import cases
from benchmarks.engines.training import CLASSES, FEATURES, KERNEL, RATE, bytes_accessed

_FREE = {"Const", "ExpandDims", "Identity", "NoOp", "Placeholder", "ReadVariableOp"}
_FREE |= {"IdentityN", "Reshape", "Squeeze", "StopGradient"}


def make_step(provider, cell: cases.Cell):
    """A function that takes a step of SGD and returns the loss before it, as in JAX."""
    case, steps = cell.case, cell.case.time * (2 if cell.mode == cases.TRAIN else 1)
    random = np.random.default_rng(0)
    series = random.normal(0, 1, (case.batch, steps, FEATURES))
    series[0] = 0  # silence, as padded clips are
    series = tf.constant(series, case.dtype)
    labels = tf.constant(random.integers(0, CLASSES, case.batch))
    model = _model(provider, cell.mode, case)
    model.build(series.shape)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(series, training=True))
        weights = model.trainable_variables
        for weight, slope in zip(weights, tape.gradient(loss, weights), strict=True):
            weight.assign_sub(tf.cast(RATE, slope.dtype) * slope)
        return loss

    return tf.function(step, jit_compile=provider.compiled or None, autograph=False)


def bytes_of(step, compiled: bool) -> int:
    """Operands and results of what XLA runs, or of all ops of the traced graph."""
    if compiled:
        hlo = step.experimental_get_compiler_ir()(stage="optimized_hlo")
        return bytes_accessed(hlo)
    return sum(
        math.prod(array.shape) * array.dtype.size
        for operation in step.get_concrete_function().graph.get_operations()
        if operation.type not in _FREE
        for array in (*operation.inputs, *operation.outputs)
    )


def _model(provider, mode, case):
    keras.utils.set_random_seed(0)  # the same weights for every provider
    dtype, is_xvector = {"dtype": case.dtype}, mode == cases.TRAIN_XVECTOR
    statistics = ("mean", "std") if is_xvector else cases.STATISTICS
    layers, inside = [], {}
    for channels in [min(case.channels, 512)] * is_xvector + [case.channels]:
        before = {"input_activation": keras.layers.ReLU(**dtype)}
        if is_xvector:
            before["input_normalization"] = keras.layers.BatchNormalization(**dtype)
        layers.append(keras.layers.Conv1D(channels, KERNEL, padding="same", **dtype))
        layers += before.values()
    if provider.inside:
        del layers[-len(before) :]
        inside = before | {"input_activation": "relu"}
    if mode == cases.TRAIN:
        layers.append(keras.layers.MaxPooling1D(2, **dtype))
    if provider.ours:
        options = inside | dtype | {"implementation": "native"}
        pooling = statpool.GlobalStatsPooling1D(statistics, cases.EPSILON, **options)
    else:
        pool = _mean_and_std if is_xvector else provider.pool
        pooling = keras.layers.Lambda(lambda x: pool(x, None, 1), **dtype)
    return keras.Sequential([*layers, pooling, keras.layers.Dense(CLASSES, **dtype)])


def _mean_and_std(x, _, axis):
    mean, variance = tf.nn.moments(x, axis)
    return tf.concat([mean, tf.sqrt(variance + cases.EPSILON)], -1)
