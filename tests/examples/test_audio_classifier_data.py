"""Features, splits, made-up recordings and records of the audio classifier."""

import dataclasses
import itertools

import numpy as np
import pytest
import soundfile
from audio_classifier import audio, dataset, report, synthesis
from audio_classifier.errors import AudioError, UserError
from audio_classifier.features import log_mel
from audio_classifier.settings import FeatureSettings
from audio_classifier.training import History
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import audio_program

SETTINGS = FeatureSettings(frames=50, mel_bands=24, sample_rate=16000, window=512)


def tone(rate, seconds=1.0, pitch=1000.0):
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * pitch * time).astype(np.float32)


@pytest.mark.parametrize("rate", [6000, 8000, 11025, 16000, 22050, 44100, 96000])
def test_features_do_not_depend_on_the_sample_rate(rate):
    features = log_mel(tone(rate), rate, SETTINGS)
    assert features.shape == (50, 24)
    assert features.dtype == np.float32
    same = log_mel(tone(16000), 16000, SETTINGS)
    # Beyond half of its sample rate a recording has nothing to say.
    audible = slice(0, 12)
    np.testing.assert_array_equal(features.argmax(axis=1), same.argmax(axis=1))
    np.testing.assert_allclose(features[5:45, audible], same[5:45, audible], atol=0.5)


def test_features_do_not_depend_on_loudness():
    quiet, loud = (log_mel(x * tone(16000), 16000, SETTINGS) for x in (1e-30, 1e30))
    np.testing.assert_allclose(quiet, loud, atol=1e-3)


def test_short_clips_are_padded_with_zeros_and_long_ones_cut():
    short = log_mel(tone(16000, 0.1), 16000, SETTINGS)
    assert np.all(short[:20] != 0)
    assert np.all(short[20:] == 0)
    np.testing.assert_allclose(short[:20].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(short[:20].std(), 1, rtol=1e-5)
    long, longer = (log_mel(tone(16000, x), 16000, SETTINGS) for x in (2, 3))
    np.testing.assert_array_equal(long, longer)
    assert np.all(long[-1] != 0)


@pytest.mark.parametrize(
    "samples", [np.zeros(8000), np.ones(8000), np.ones(1), np.zeros(1)]
)
@pytest.mark.parametrize("rate", [16000, 44100])
def test_features_of_hardly_any_sound_are_finite(samples, rate):
    assert np.isfinite(log_mel(samples.astype(np.float32), rate, SETTINGS)).all()


def test_silence_is_all_zeros():
    assert not log_mel(np.zeros(8000, np.float32), 16000, SETTINGS).any()


def test_channels_are_averaged_and_only_the_beginning_is_read(tmp_path):
    path = tmp_path / "two.wav"
    channels = np.stack([np.full(1000, 0.5), np.full(1000, -0.25)], axis=1)
    soundfile.write(path, channels, 1000)
    samples, rate = audio.read_audio(path, seconds=0.3)
    assert rate == 1000
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, np.full(300, 0.125), atol=1e-4)


def test_a_folder_instead_of_a_file_is_an_audio_error(tmp_path):
    with pytest.raises(AudioError):
        audio.read_audio(tmp_path, seconds=1)


def test_a_class_may_be_a_symbolic_link(tmp_path):
    for name in ("elsewhere/low", "data/high"):
        audio_program.write_tone(tmp_path / name / "a.wav", 440)
    (tmp_path / "data" / "low").symlink_to(tmp_path / "elsewhere" / "low")
    (tmp_path / "data" / ".cache").symlink_to(tmp_path / "elsewhere" / "low")
    clips = dataset.scan_folder(tmp_path / "data", seconds=1).clips
    assert [clip.class_name for clip in clips] == ["high", "low"]


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_split_is_stratified(sizes, share, seed):
    labels = np.random.default_rng(seed).permutation(
        np.repeat(np.arange(len(sizes)), sizes)
    )
    if max(sizes) == 1:
        with pytest.raises(UserError, match="No clip is left for validation"):
            dataset.split(labels, share, seed)
        return
    training, validation = dataset.split(labels, share, seed)
    together = np.sort(np.concatenate([training, validation]))
    np.testing.assert_array_equal(together, np.arange(len(labels)))
    held_out = np.bincount(labels[validation], minlength=len(sizes))
    for size, held in zip(sizes, held_out, strict=True):
        assert abs(held - share * size) <= 1
        if size > 1:
            assert 0 < held < size
        else:
            assert held == 0


def test_split_is_fixed_by_the_seed():
    labels = np.repeat([0, 1, 2], 30)
    one, two, other = (dataset.split(labels, 0.2, seed)[1] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("clips", [32, 100, 479, 480])
def test_first_instrument_has_a_quarter_of_the_clips(clips):
    sizes = list(synthesis.class_sizes(clips).values())
    assert sum(sizes) == clips
    assert sizes[0] == round(clips / 4)
    assert max(sizes[1:]) - min(sizes[1:]) <= 1
    assert list(synthesis.INSTRUMENTS) == sorted(synthesis.INSTRUMENTS)


@pytest.mark.parametrize("name", synthesis.INSTRUMENTS)
def test_recordings_have_sound_and_silence_and_follow_the_seed(name):
    recording, rate = synthesis.synthesise(name, (1, 2))
    assert 4 <= len(recording) / rate <= 12
    assert recording.dtype == np.float32
    blocks = np.abs(recording[: len(recording) // 800 * 800]).reshape(-1, 800)
    loudness = blocks.max(axis=1) / blocks.max()
    assert loudness.min() < 0.1
    assert np.mean(loudness > 0.1) > 0.05
    np.testing.assert_array_equal(recording, synthesis.synthesise(name, (1, 2))[0])
    other = synthesis.synthesise(name, (1, 3))[0]
    assert not np.array_equal(recording[:10000], other[:10000])


def test_synthetic_clips_are_all_different():
    clips = dataset.synthetic_clips(32, seed=0)
    beginnings = [clip.load()[0][:8000] for clip in clips]
    for one, two in itertools.combinations(beginnings, 2):
        assert not np.array_equal(one, two)


EPOCH = {
    **{"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5},
    "nan_weights": 0,
}
HISTORY = History("statpool", ["a", "b"], [EPOCH] * 4, [9.0, 1.0, 3.0, 2.0])


def test_seconds_per_epoch_leave_out_the_tracing():
    assert HISTORY.seconds_per_epoch == 2
    assert dataclasses.replace(HISTORY, seconds=[9.0]).seconds_per_epoch == 9


@pytest.mark.parametrize(
    "seen", [{"loss": np.nan}, {"val_loss": np.nan}, {"nan_weights": 3}]
)
def test_first_nan_epoch_counts_from_one(seen):
    assert HISTORY.first_nan_epoch is None
    broken = [EPOCH, {**EPOCH, **seen}, {**EPOCH, **seen}]
    assert dataclasses.replace(HISTORY, epochs=broken).first_nan_epoch == 2


def test_a_nan_loss_is_null_in_results(tmp_path):
    broken = [EPOCH, {**EPOCH, "loss": np.nan, "val_loss": np.inf}]
    path = tmp_path / "results.json"
    report.write_results([dataclasses.replace(HISTORY, epochs=broken)], path)
    assert '"loss": null' in path.read_text()
    assert '"val_loss": null' in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
