"""Clips with their classes: from folders or made up, as features, and split."""

import collections
import dataclasses
import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile
from tqdm import tqdm

from . import features, synthesis
from .synthesis import synthesise


class DataError(ValueError):
    """Clips that no classifier can be trained on."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """One clip, not read yet; `load` returns its samples and their rate."""

    name: str
    class_name: str
    load: Callable[[], tuple[np.ndarray, int]]


@dataclasses.dataclass(frozen=True)
class Clip:
    """Features [frames, mel_bands] of one clip, as long as it is, and its class."""

    features: np.ndarray
    label: int


def load(options):
    """Returns the classes, and clips to train and to validate with."""
    seconds = options.frames * features.HOP / features.SAMPLE_RATE
    if options.data is None:
        classes = sorted(synthesis.INSTRUMENTS)
        recordings = made_up(options.clips, options.seed)
    else:
        classes, recordings = in_folder(options.data, seconds)
    clips = read(recordings, classes, options.frames, options.mel_bands)
    counts = collections.Counter(classes[clip.label] for clip in clips)
    few = [f"{name!r} has {counts[name]}" for name in classes if counts[name] < 2]
    if few:
        raise DataError(
            "Every class needs two clips that can be read, one to train and one to "
            f"validate with; {', '.join(few)}. Add clips, or remove the folder."
        )
    parts = split(clips, options.seed)
    for title, part in zip(("Training", "Validation"), parts, strict=True):
        counts = np.bincount([clip.label for clip in part], minlength=len(classes))
        listed = ", ".join(map("{} {}".format, counts, classes))
        print(f"{title}: {counts.sum()} clips ({listed})")
    return classes, *parts


def made_up(count, seed):
    """Lists the clips of the synthetic data set, a quarter of the first class."""
    first, *others = synthesis.INSTRUMENTS
    names = (first if i % 4 == 0 else others[i % len(others)] for i in range(count))
    return [
        Recording(f"{name} {i}", name, functools.partial(synthesise, name, (seed, i)))
        for i, name in enumerate(names)
    ]


def in_folder(folder, seconds):
    """Returns the classes, which are the sub-folders, and every file below each.

    Entries whose names begin with a dot are left out.
    """
    classes = [path.name for path in _visible(folder.iterdir()) if path.is_dir()]
    if len(classes) < 2:
        raise DataError(
            f"{str(folder)!r} must have a sub-folder of audio for each class, at least "
            f"two; received {classes}."
        )
    # Each class on its own, so that it may be a symbolic link.
    return classes, [
        Recording(str(path), name, functools.partial(decode, path, seconds))
        for name in classes
        for path in _visible((folder / name).rglob("*"))
        if path.is_file()
    ]


def _visible(paths):
    return sorted(path for path in paths if not path.name.startswith("."))


def decode(path, seconds):
    """Returns the mean of a file's channels from its beginning, and its sample rate."""
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        samples = file.read(math.ceil(seconds * rate), "float32", always_2d=True)
    if len(samples) == 0:
        raise ValueError("it has no samples")
    if not np.isfinite(samples).all():
        raise ValueError("it has NaN or infinite samples")
    # Peaks may reach 1e38 in a float file: halve before the sum, not after.
    return (samples / samples.shape[1]).sum(axis=1, dtype=np.float32), rate


def read(recordings, classes, frames, mel_bands):
    """Computes the features on all cores; names what cannot be read."""

    def compute(recording):
        try:
            return features.log_mel(*recording.load(), frames, mel_bands)
        except (ValueError, OSError, soundfile.SoundFileError) as error:
            return f"Skipped {recording.name}: {error}"

    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        computed = pool.map(compute, recordings)
        # No bar where the output is a file.
        watched = tqdm(computed, "features", total=len(recordings), disable=None)
        for recording, result in zip(recordings, watched, strict=True):
            if isinstance(result, str):
                tqdm.write(result)
            else:
                found.append(Clip(result, classes.index(recording.class_name)))
    return found


def split(clips, seed):
    """Returns clips to train with, and a fifth of each class to validate with."""
    held_out = set()
    labels = np.array([clip.label for clip in clips])
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rng = np.random.default_rng((seed, int(label)))
        held_out.update(rng.permutation(members)[: max(round(len(members) / 5), 1)])
    return (
        [clip for i, clip in enumerate(clips) if i not in held_out],
        [clip for i, clip in enumerate(clips) if i in held_out],
    )


def majority(classes, clips):
    """Returns the most frequent class, and its share of the clips."""
    ((label, count),) = collections.Counter(c.label for c in clips).most_common(1)
    return classes[label], count / len(clips)
