"""Log-mel features: what the network sees of a clip."""

import numpy as np
import soxr
import tensorflow as tf

SAMPLE_RATE = 16000  # to which all audio is resampled
HOP = 80  # samples from one frame to the next
WINDOW = 1024  # samples that a frame looks at
DYNAMIC_RANGE_DB = 80.0
LOWEST_HZ = 20.0


def log_mel(samples, rate, frames, mel_bands):
    """Computes the features of one clip.

    The scale is decibels relative to the loudest spot of the clip, cut at -80 dB and
    then shifted and scaled to mean 0 and standard deviation 1 over the clip. So
    neither loudness nor recording level counts, and silence is all zeros.

    Args:
        samples: One channel of finite samples, at least one.
        rate: Their sample rate in Hz.
        frames: How many to compute at most, from the beginning.
        mel_bands: Mel bands per frame.

    Returns:
        float32 array [n, mel_bands], with n <= frames: short clips are not padded.

    Raises:
        ValueError: The sample rate cannot be converted.
    """
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    # A clip shorter than one sample of the new rate keeps a frame, of silence.
    samples = samples[: frames * HOP] if len(samples) else np.zeros(1, np.float32)
    peak = np.abs(samples).max()
    if peak == 0:
        return np.zeros((-(-len(samples) // HOP), mel_bands), np.float32)
    decibels = _decibels(samples / peak, mel_bands)
    centred = decibels - decibels.mean()
    # The floor keeps a clip of constant level from being divided by zero.
    return centred / max(float(centred.std()), 1e-3)


def _decibels(samples, mel_bands):
    """Mel spectrogram in decibels, 0 at the loudest spot."""
    spectrum = tf.signal.stft(samples, WINDOW, HOP, pad_end=True)  # [T, F]
    weights = tf.signal.linear_to_mel_weight_matrix(
        mel_bands, spectrum.shape[-1], SAMPLE_RATE, LOWEST_HZ, SAMPLE_RATE / 2
    )
    power = tf.matmul(tf.square(tf.abs(spectrum)), weights).numpy()
    # A constant offset peaks at 1 and yet has no power in any band.
    loudest = max(power.max(), np.finfo(np.float32).tiny)
    return 10 * np.log10(np.maximum(power / loudest, 10 ** (-DYNAMIC_RANGE_DB / 10)))
