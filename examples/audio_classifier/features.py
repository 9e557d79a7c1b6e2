"""Log-mel features: what the network sees of a clip."""

import numpy as np
import soxr
import tensorflow as tf

from .errors import AudioError
from .settings import FeatureSettings

DYNAMIC_RANGE_DB = 80.0
LOWEST_HZ = 20.0


def log_mel(samples: np.ndarray, rate: int, settings: FeatureSettings) -> np.ndarray:
    """Computes the features of one clip.

    The scale is decibels relative to the loudest spot of the clip, cut at -80 dB and
    then shifted and scaled to mean 0 and standard deviation 1 over the clip. So
    neither loudness nor recording level counts. Missing frames are filled with zeros,
    and a clip of pure silence is all zeros.

    Args:
        samples: One channel of finite samples, at least one.
        rate: Their sample rate in Hz.
        settings: Sizes of the features.

    Returns:
        float32 array [frames, mel_bands].

    Raises:
        AudioError: The sample rate cannot be converted.
    """
    features = np.zeros((settings.frames, settings.mel_bands), np.float32)
    samples = _resample(samples, rate, settings.sample_rate)[: settings.samples]
    peak = np.abs(samples).max(initial=0)
    if peak == 0:
        return features
    decibels = _decibels(samples / peak, settings)
    centred = decibels - decibels.mean()
    # The floor keeps a clip of constant level from being divided by zero.
    features[: len(decibels)] = centred / max(float(centred.std()), 1e-3)
    return features


def _resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    if rate == new_rate:
        return samples
    try:
        return soxr.resample(samples, rate, new_rate)
    except (ValueError, RuntimeError) as error:
        raise AudioError(f"its sample rate is {rate} Hz: {error}") from error


def _decibels(samples: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Mel spectrogram in decibels, 0 at the loudest spot."""
    spectrum = tf.signal.stft(
        samples, settings.window, settings.hop, pad_end=True
    )  # [T, F], F from the window rounded up to a power of two
    weights = tf.signal.linear_to_mel_weight_matrix(
        settings.mel_bands,
        spectrum.shape[-1],
        settings.sample_rate,
        LOWEST_HZ,
        settings.sample_rate / 2,
    )
    power = tf.matmul(tf.square(tf.abs(spectrum)), weights).numpy()
    # A constant offset peaks at 1 and yet has no power in any band.
    loudest = max(power.max(), np.finfo(np.float32).tiny)
    return 10 * np.log10(np.maximum(power / loudest, 10 ** (-DYNAMIC_RANGE_DB / 10)))
