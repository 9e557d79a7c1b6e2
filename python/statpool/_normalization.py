"""A BatchNormalization between the input activation and the pooling, in the same read.

Of the activated input a, [B, T, C], the layer would write y for the pooling to read:

    y = scale (a - centre) + beta,    scale = gamma / sqrt(variance + its epsilon)

All that is asked of y follows from N, mean, std, max and min of a over time. So a read
of x yields those, and the rest is algebra on [B, C], whose derivative ends in the
gradient of the read. In training centre and variance are the batch's moments, merged
from those of its examples:

    centre   = sum_b N mean / sum_b N
    variance = sum_b N (std^2 + (mean - centre)^2) / sum_b N

and in inference the moving averages. All of it is float32, or float64 for such x.
"""

import dataclasses
import importlib

import tensorflow as tf

from statpool import _keras, _tensors, ops
from statpool._options import STATISTICS
from statpool._series import count_steps

keras = importlib.import_module(_keras.NAME)

# What each statistic of y needs of a: a negative gamma swaps the extremes.
_NEEDED = {
    "mean": {"mean"},
    "max": {"max", "min"},
    "min": {"max", "min"},
    "l2": {"mean", "std"},
    "rms": {"mean", "std"},
    "std": {"std"},
}
# Below the root of the std that is read, and taken off its square: a silent channel
# then has the curvature of the variance, which std itself hasn't at 0. The root is a
# power of two, so that the square of nothing is exactly 0.
_EPSILON = 2.0**-80


def check(normalization, rank, channel) -> None:
    """Checks that the layer can be folded for inputs of that rank and channel axis."""
    rule = "input_normalization must be None or a keras.layers.BatchNormalization"
    if _keras.NAME != "keras":
        raise ValueError(
            f"input_normalization must be None in layers of {_keras.NAME}, got "
            f"{normalization!r}; put it before the pooling, or use Keras 3"
        )
    if type(normalization) is not keras.layers.BatchNormalization:
        raise ValueError(
            f"{rule} itself, not of a subclass, got {normalization!r}; put any other "
            "layer before the pooling"
        )
    if normalization.axis not in (channel, channel - rank):
        raise ValueError(
            f"{rule} of the channels, which are axis {channel} of inputs of rank "
            f"{rank}, got axis={normalization.axis}; construct it with axis={channel}"
        )
    if getattr(normalization, "renorm", False):
        raise ValueError(
            f"{rule} without renorm, got renorm=True; put it before the pooling"
        )
    if normalization.activity_regularizer is not None:
        raise ValueError(
            f"{rule} without activity_regularizer, because what it puts out is never "
            f"computed, got {normalization.activity_regularizer!r}; put it before the "
            "pooling"
        )


def build(normalization, input_shape, channel) -> None:
    """Builds the layer for inputs of that shape; one that is built must fit them."""
    channels = input_shape[channel]
    if channels is None:
        raise ValueError(
            "input_normalization needs inputs with a known number of channels, got "
            f"shape {tuple(input_shape)}; name axis {channel} in keras.Input"
        )
    if not normalization.built:
        normalization.build(tuple(input_shape))
    elif tuple(normalization.moving_mean.shape) != (channels,):
        raise ValueError(
            f"input_normalization must have the {channels} channels of the inputs, got "
            f"a layer built for {normalization.moving_mean.shape[0]}; take another"
        )


def pool(
    normalization, training, x, mask, lengths, options, implementation, name
) -> tf.Tensor:
    """`ops.pool` of y in place of x; in training the moving averages are updated.

    `training` is Keras' argument; a layer that isn't trainable infers in any case.
    """
    asked = mask
    x, mask, lengths = _tensors.convert(x, mask, lengths, options)
    training = training and normalization.trainable
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    names = _names_to_read(options.statistics, training, normalization.scale)
    reading = dataclasses.replace(
        options,
        statistics=names,
        epsilon=_EPSILON,
        correction=0,
        keepdims=False,
        output_dtype=wide.name,
    )
    pooled = ops.pool(x, mask, lengths, reading, implementation, name)
    read = dict(zip(names, tf.split(pooled, len(names), axis=1), strict=True))
    if "std" in read:
        read["variance"] = tf.square(read["std"]) - _EPSILON
    counts = count_steps(x, mask, lengths, options.time)[:, tf.newaxis]
    counts = tf.cast(counts, wide)
    if training:
        centre, variance = _moments_of_batch(normalization, read, counts)
    else:
        centre = tf.cast(normalization.moving_mean, wide)
        variance = tf.cast(normalization.moving_variance, wide)
    scale = tf.math.rsqrt(variance + normalization.epsilon)
    if normalization.scale:
        scale *= tf.cast(normalization.gamma, wide)
    beta = tf.cast(normalization.beta, wide) if normalization.center else 0.0
    y = _normalized_statistics(read, counts, centre, scale, beta, options)
    y = _tensors.marked(tf.cast(y, options.result_dtype(x.dtype)), asked)
    return tf.expand_dims(y, options.time) if options.keepdims else y


def _names_to_read(asked, training, has_gamma) -> tuple[str, ...]:
    """The statistics of a that those of y need, and in training the moments."""
    needed = set().union(*(_NEEDED[name] for name in asked))
    if training:
        needed |= {"mean", "std"}
    if not has_gamma:
        needed -= {"max", "min"} - set(asked)
    return tuple(name for name in STATISTICS if name in needed)


def _moments_of_batch(normalization, read, counts):
    """The batch's mean and variance, `[C]` each, once the moving averages have them.

    A batch without a step that counts leaves these alone; Keras' fade to 0. A
    synchronised batch is that of all replicas, with a mask too.
    """
    merged = _all_reduced if normalization.synchronized else tf.identity
    counted = tf.concat([counts, counts * read["mean"]], 1)
    sums = merged(tf.reduce_sum(counted, 0))  # [1 + C]
    total, mean = sums[0], sums[1:] / tf.maximum(sums[0], 1)
    deviations = counts * (read["variance"] + tf.square(read["mean"] - mean))
    variance = merged(tf.reduce_sum(deviations, 0)) / tf.maximum(total, 1)
    momentum = normalization.momentum
    moving = normalization.moving_mean, normalization.moving_variance
    for average, moment in zip(moving, (mean, variance), strict=True):
        old = tf.cast(average, moment.dtype)
        new = old * momentum + moment * (1.0 - momentum)
        average.assign(tf.where(total > 0, new, old))
    return mean, variance


def _all_reduced(sums):
    replica = tf.distribute.get_replica_context()
    return sums if replica is None else replica.all_reduce("SUM", sums)


def _normalized_statistics(read, counts, centre, scale, beta, options):
    """The statistics of y = scale (a - centre) + beta side by side, `[B, S * C]`.

    Examples without a step that counts have those of the contract.
    """
    zero = tf.zeros([], counts.dtype)
    correction = float(options.correction)

    def where_some(values):
        return tf.where(counts > 0, values, zero)

    def normalized(a):
        return where_some(scale * (a - centre) + beta)

    def extreme(name, opposite):
        """Where scale is 0 all steps tie and share the gradient, as the mean does.

        Where only extremes are read, in inference, 0 counts as positive.
        """
        a = read[name]
        if opposite in read:
            tie = read.get("mean", a)
            a = tf.where(scale > 0, a, tf.where(scale < 0, read[opposite], tie))
        return normalized(a)

    def variance():
        return where_some(tf.square(scale) * read["variance"])

    def power():
        return variance() + tf.square(normalized(read["mean"]))

    def root(squares):
        """The root with epsilon below it, whose derivative is 0 where it is 0."""
        squares += options.epsilon
        is_zero = squares <= 0
        one = tf.ones([], squares.dtype)
        return tf.where(is_zero, zero, tf.sqrt(tf.where(is_zero, one, squares)))

    statistics = {
        "mean": lambda: normalized(read["mean"]),
        "max": lambda: extreme("max", "min"),
        "min": lambda: extreme("min", "max"),
        "l2": lambda: root(counts * power()),
        "rms": lambda: root(power()),
        "std": lambda: root(variance() * counts / tf.maximum(counts - correction, 1)),
    }
    return tf.concat([statistics[name]() for name in options.statistics], 1)
