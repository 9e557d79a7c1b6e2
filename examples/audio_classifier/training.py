"""Training of one pooling, and what is remembered of it."""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

# What is measured in each epoch.
KEYS = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclasses.dataclass(frozen=True)
class History:
    """How one training went.

    Attributes:
        pooling: The pooling over time.
        classes: The classes, in the order of the network's outputs.
        epochs: Per epoch `loss`, `accuracy`, `val_loss`, `val_accuracy` and
            `nan_weights`, how many weight arrays hold a NaN.
        seconds: Duration of each epoch, validation included.
    """

    pooling: str
    classes: list[str]
    epochs: list[dict[str, float]]
    seconds: list[float]

    @property
    def first_nan_epoch(self) -> int | None:
        """The first epoch, counted from 1, with a NaN loss or weight.

        Where convolutions turn NaN into 0, as those of oneDNN do with ReLU, the loss
        alone doesn't show that all weights are lost.
        """
        for number, epoch in enumerate(self.epochs, start=1):
            losses = epoch["loss"], epoch["val_loss"]
            if epoch["nan_weights"] or any(map(math.isnan, losses)):
                return number
        return None

    @property
    def seconds_per_epoch(self) -> float:
        """The median, without the first epoch, in which TensorFlow traces the graph."""
        return statistics.median(self.seconds[1:] or self.seconds)

    @property
    def val_accuracy(self) -> list[float]:
        """Validation accuracy of each epoch."""
        return [epoch["val_accuracy"] for epoch in self.epochs]


class _Watch(keras.callbacks.Callback):
    """Times the epochs and reports progress."""

    def __init__(self, on_batch: Callable[[], None], on_epoch: Callable[[dict], None]):
        super().__init__()
        self.seconds = []
        self.nan_weights = []
        self._on_batch = on_batch
        self._on_epoch = on_epoch
        self._start = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._on_batch()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._start)
        self.nan_weights.append(nan_weights(self.model))
        self._on_epoch(logs)


def nan_weights(network: keras.Model) -> int:
    """Returns how many weight arrays hold a NaN."""
    return sum(bool(np.isnan(array).any()) for array in network.get_weights())


def train(
    network: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    epochs: int,
    on_batch: Callable[[], None],
    on_epoch: Callable[[dict], None],
) -> tuple[list[dict[str, float]], list[float]]:
    """Fits the network.

    After a NaN loss the remaining epochs run all the same: they show that training
    doesn't recover.

    Returns:
        Per epoch the losses and accuracies, and per epoch the seconds.
    """
    watch = _Watch(on_batch, on_epoch)
    fitted = network.fit(
        training,
        validation_data=validation,
        epochs=epochs,
        verbose=0,
        shuffle=False,  # the data set shuffles by itself
        callbacks=[watch],
    )
    columns = zip(*(fitted.history[key] for key in KEYS), strict=True)
    rows = [dict(zip(KEYS, map(float, row), strict=True)) for row in columns]
    for row, count in zip(rows, watch.nan_weights, strict=True):
        row["nan_weights"] = count
    return rows, watch.seconds
