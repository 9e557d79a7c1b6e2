"""Runs the audio classifier of examples/ on small data, for the tests."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import train_audio_classifier
from click.testing import CliRunner

PROGRAM = Path(train_audio_classifier.__file__)
# Two thirds of a second in 64 frames.
SMALL = (
    *("--frames", "64", "--mel-bands", "16"),
    *("--hop", "160", "--window", "512"),
    *("--batch-size", "4"),
)
QUICK = (*SMALL, "--epochs", "2", "--pooling", "statpool")
# Suffix, sample rate and channel count of the clips of each class.
FORMATS = [
    ("wav", 8000, 1),
    ("flac", 44100, 2),
    ("ogg", 48000, 1),
    ("mp3", 22050, 2),
    ("WAV", 96000, 6),
    ("ogg", 16000, 2),
]
PITCHES = {"high": 2500.0, "low": 300.0}


def run(*arguments):
    """Runs the program in this process; it must not end with a traceback."""
    result = CliRunner().invoke(train_audio_classifier.main, [*map(str, arguments)])
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return result


def run_in_fresh_process(*arguments):
    return subprocess.run(
        [sys.executable, PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        check=False,
    )


def write_tone(path, pitch, rate=16000, channels=1, seconds=0.7):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * pitch * time)
    soundfile.write(path, np.repeat(tone[:, np.newaxis], channels, axis=1), rate)


def write_tones(folder, classes=PITCHES):
    """Writes one clip of each format per class, each of its own pitch and length."""
    for name, pitch in classes.items():
        for index, (suffix, rate, channels) in enumerate(FORMATS):
            path = folder / name / f"{index}.{suffix}"
            write_tone(path, (1 + index / 50) * pitch, rate, channels, 0.4 + index / 10)
