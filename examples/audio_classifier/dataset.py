"""Clips with their classes: from folders or made up, and split for validation."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import audio, synthesis
from .errors import UserError


@dataclasses.dataclass(frozen=True)
class Clip:
    """One recording, not read yet.

    Attributes:
        name: What messages call it.
        class_name: Its class.
        load: Returns samples and sample rate; raises AudioError.
    """

    name: str
    class_name: str
    load: Callable[[], tuple[np.ndarray, int]]


@dataclasses.dataclass(frozen=True)
class Folder:
    """What a scan of a folder found.

    Attributes:
        clips: In the order of class and path.
        ignored: Files without the suffix of an audio format.
    """

    clips: list[Clip]
    ignored: list[Path]


def synthetic_clips(count: int, seed: int) -> list[Clip]:
    """Lists the clips of the synthetic data set."""
    return [
        Clip(
            f"{name} {index}",
            name,
            functools.partial(synthesis.synthesise, name, (seed, label, index)),
        )
        for label, (name, size) in enumerate(synthesis.class_sizes(count).items())
        for index in range(size)
    ]


def scan_folder(folder: Path, seconds: float) -> Folder:
    """Lists the audio files below each class sub-folder.

    Args:
        folder: Its sub-folders are the classes; hidden entries are left out.
        seconds: How much of each file to decode.

    Raises:
        UserError: The folder is missing or has no audio files in sub-folders.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"Cannot list {str(folder)!r}: {error.strerror}.") from error
    folders = [path for path in entries if path.is_dir() and not _is_hidden(path)]
    # One by one, so that a class may be a symbolic link.
    files = {path.name: _files_below(path) for path in folders}
    clips = [
        Clip(str(path), name, functools.partial(audio.read_audio, path, seconds))
        for name, paths in files.items()
        for path in paths
        if _is_audio(path)
    ]
    if not clips:
        raise UserError(
            f"There is no audio in {str(folder)!r}: expected one sub-folder per class "
            f"with {', '.join(audio.SUFFIXES)} files, found {len(folders)} sub-folders "
            f"and {len(entries) - len(folders)} other entries."
        )
    everything = itertools.chain.from_iterable(files.values())
    return Folder(clips, [path for path in everything if not _is_audio(path)])


def _files_below(folder: Path) -> list[Path]:
    paths = sorted(folder.rglob("*"))
    return [path for path in paths if path.is_file() and not _is_hidden(path)]


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in audio.SUFFIXES


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def class_names(clips: list[Clip], source: str) -> list[str]:
    """Returns the sorted classes.

    Raises:
        UserError: There are fewer than two.
    """
    classes = sorted({clip.class_name for clip in clips})
    if len(classes) < 2:
        found = f"only {classes[0]!r}" if classes else "no valid file"
        raise UserError(
            f"A classifier needs at least two classes; {source} has {found}."
        )
    return classes


def check_same_classes(training: list[Clip], validation: list[Clip]) -> None:
    """Raises UserError unless both lists have the same classes."""
    wanted, found = (
        {clip.class_name for clip in part} for part in (training, validation)
    )
    if wanted != found:
        raise UserError(
            "The validation folder must have the classes of the training folder; "
            f"missing: {sorted(wanted - found) or 'none'}, "
            f"unknown: {sorted(found - wanted) or 'none'}."
        )


def split(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the same share of every class for validation.

    Each class with at least two clips keeps at least one on either side.

    Args:
        labels: Class number of each clip.
        share: Share of each class that goes to validation, between 0 and 1.
        seed: Decides which clips go there.

    Returns:
        Sorted clip numbers for training and for validation.

    Raises:
        UserError: No class has two clips.
    """
    validation = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        rng = np.random.default_rng((seed, int(label)))
        validation.extend(rng.permutation(members)[:count].tolist())
    if not validation:
        raise UserError(
            "No clip is left for validation: every class has a single valid clip. "
            "Add clips or give --validation-data."
        )
    validation = np.array(sorted(validation))
    return np.setdiff1d(np.arange(len(labels)), validation), validation
