"""Files of audio, one tone each, for the tests of the audio classifier."""

import numpy as np
import soundfile

# Suffix, sample rate and channel count of the clips of each class.
FORMATS = ("wav", 8000, 1), ("flac", 44100, 2), ("ogg", 48000, 1), ("mp3", 22050, 2)
FORMATS += ("WAV", 96000, 6), ("ogg", 16000, 2)


def tone(rate, seconds=1.0, pitch=1000.0):
    """One channel of a sine."""
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * pitch * time).astype(np.float32)


def write_tone(path, pitch=440.0, rate=16000, channels=1, seconds=0.7):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.5 * tone(rate, seconds, pitch)
    soundfile.write(path, np.repeat(samples[:, np.newaxis], channels, axis=1), rate)


def write_tones(folder):
    """Writes one clip of each format per class, each of its own pitch and length."""
    for name, pitch in (("high", 2500.0), ("low", 300.0)):
        for index, (suffix, rate, channels) in enumerate(FORMATS):
            path = folder / name / f"{index}.{suffix}"
            write_tone(path, (1 + index / 50) * pitch, rate, channels, 0.4 + index / 10)
