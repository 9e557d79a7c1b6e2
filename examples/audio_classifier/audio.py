"""Decoding of audio files: any sample rate and channel count to one channel."""

import math
from pathlib import Path

import numpy as np
import soundfile

from .errors import AudioError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff")


def read_audio(path: Path, seconds: float) -> tuple[np.ndarray, int]:
    """Reads the beginning of an audio file.

    Args:
        path: WAV, FLAC, OGG, MP3, or what else libsndfile decodes.
        seconds: How much to decode; the rest of a long recording is not touched.

    Returns:
        The mean of the channels as float32 samples, and the sample rate.

    Raises:
        AudioError: The file cannot be read or holds nothing to learn from.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            samples = file.read(
                math.ceil(seconds * rate), dtype="float32", always_2d=True
            )
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(_reason(error)) from error
    if len(samples) == 0:
        raise AudioError("it has no samples")
    if not np.isfinite(samples).all():
        raise AudioError("it has NaN or infinite samples")
    # Peaks may reach 1e38 in a float file: halve before the sum, not after.
    return (samples / samples.shape[1]).sum(axis=1, dtype=np.float32), rate


def _reason(error: Exception) -> str:
    """The cause without the path, which the caller names anyway."""
    if isinstance(error, soundfile.LibsndfileError):
        return error.error_string
    return getattr(error, "strerror", None) or str(error)
