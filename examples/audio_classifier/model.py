"""The network of the original question, with a choice of poolings over time."""

import keras
from keras import ops

import statpool

from .errors import UserError
from .settings import Sizes


def check_native() -> None:
    """Raises UserError if statpool's op cannot run: better now than after minutes."""
    try:
        statpool.global_stats(ops.zeros((1, 1, 1)), implementation="native")
    except statpool.NativeLibraryError as error:
        raise UserError(str(error)) from error


def build_model(
    pooling: str, input_shape: tuple[int, int], classes: int, sizes: Sizes
) -> keras.Model:
    """Builds and compiles the classifier.

    Args:
        pooling: One of `settings.POOLINGS`.
        input_shape: Frames and mel bands.
        classes: Number of classes.
        sizes: Sizes of the layers.
    """
    x = inputs = keras.Input(input_shape)
    for filters, pool in zip(sizes.filters, sizes.pool, strict=True):
        x = keras.layers.Conv1D(
            filters, sizes.kernel_size, activation="relu", padding="same"
        )(x)
        x = keras.layers.MaxPooling1D(pool)(x)
    x = _pool_over_time(pooling, x)
    for units in sizes.dense:
        x = keras.layers.Dense(units, activation="relu")(x)
        x = keras.layers.Dropout(sizes.dropout)(x)
    outputs = keras.layers.Dense(classes, activation="softmax")(x)
    model = keras.Model(inputs, outputs, name="audio_classifier")
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def _pool_over_time(pooling: str, x: keras.KerasTensor) -> keras.KerasTensor:
    """Maps [B, T, C] to [B, S * C]."""
    if pooling == "statpool":
        return statpool.GlobalStatsPooling1D()(x)  # check_native: the op runs
    if pooling == "composite":
        return statpool.GlobalStatsPooling1D(implementation="composite")(x)
    statistics = [
        keras.layers.GlobalAveragePooling1D()(x),
        keras.layers.GlobalMaxPooling1D()(x),
    ]
    if pooling == "lambda":
        # As in the question: the gradient of the root is infinite for a channel of
        # zeros, and infinity times zero is NaN.
        norm = keras.layers.Lambda(lambda x: ops.sqrt(ops.sum(x**2, axis=1)))
        statistics.append(norm(x))
    return keras.layers.Concatenate()(statistics)
