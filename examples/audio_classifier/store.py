"""Features of all clips, on disk, so that large data sets fit."""

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
import tensorflow as tf

from .dataset import Clip
from .errors import AudioError, UserError
from .features import log_mel
from .settings import FeatureSettings


@dataclasses.dataclass(frozen=True)
class Store:
    """Features of the clips that could be read.

    Attributes:
        features: float32 array [clips, frames, mel_bands], read from disk on demand.
        clips: The clips the rows belong to.
        skipped: Name and reason of each clip that could not be used.
    """

    features: np.ndarray
    clips: list[Clip]
    skipped: list[tuple[str, str]]


def compute_features(
    clips: list[Clip],
    settings: FeatureSettings,
    folder: Path,
    advance: Callable[[], None],
) -> Store:
    """Computes the features of all clips, on all cores.

    Args:
        clips: What to read.
        settings: Sizes of the features.
        folder: Where the features lie while the program runs; the file has no name
            there and goes away with the program, however that ends.
        advance: Called after each clip.

    Raises:
        UserError: The features cannot be written, for want of space for instance.
    """
    kept, skipped = [], []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for clip, features in _in_order(clips, settings):
                if isinstance(features, AudioError):
                    skipped.append((clip.name, str(features)))
                else:
                    kept.append(clip)
                    file.write(features.tobytes())
                advance()
            file.flush()
            rows = _map(file, (len(kept), settings.frames, settings.mel_bands))
    except OSError as error:
        raise UserError(
            f"Cannot write the features to {str(folder)!r}: {error.strerror}."
        ) from error
    return Store(rows, kept, skipped)


def _map(file: IO[bytes], shape: tuple[int, ...]) -> np.ndarray:
    """Returns the file's content as an array, which outlives the closed file."""
    if 0 in shape:  # nothing to map, which the system refuses
        return np.empty(shape, np.float32)
    return np.memmap(file, np.float32, "r", shape=shape)


def _in_order(
    clips: list[Clip], settings: FeatureSettings
) -> Iterator[tuple[Clip, np.ndarray | AudioError]]:
    """Yields each clip with its features or the error, as threads finish them."""

    def compute(clip: Clip) -> np.ndarray | AudioError:
        try:
            return log_mel(*clip.load(), settings)
        except AudioError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from zip(clips, pool.map(compute, clips), strict=True)


def batches(
    features: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    batch_size: int,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Reads features and one-hot labels in batches.

    Args:
        features: All features, [clips, frames, mel_bands].
        labels: One-hot labels, [clips, classes].
        rows: Which clips to give out.
        batch_size: Clips per batch; the last one may be smaller.
        seed: Shuffles anew in each epoch; None keeps the order.
    """

    def gather(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, y = tf.numpy_function(
            lambda i: (features[i], labels[i]), [index], (tf.float32, tf.float32)
        )
        x.set_shape((None, *features.shape[1:]))
        y.set_shape((None, *labels.shape[1:]))
        return x, y

    dataset = tf.data.Dataset.from_tensor_slices(rows)
    if seed is not None:
        dataset = dataset.shuffle(len(rows), seed=seed)
    return dataset.batch(batch_size).map(gather).prefetch(2)
