"""Clips and features of the audio classifier: folders, lengths, the split."""

import types

import numpy as np
import pytest
import soundfile
from audio_classifier import clips
from audio_classifier.features import log_mel
from audio_classifier.synthesis import INSTRUMENTS

from tests.examples.tones import tone, write_tone, write_tones


def load(folder):
    sizes = {"frames": 64, "mel_bands": 16, "seed": 0}
    return clips.load(types.SimpleNamespace(data=folder, **sizes))


@pytest.mark.parametrize(("rate", "gain"), [(8000, 1e-30), (44100, 1), (16000, 1e30)])
def test_features_depend_neither_on_the_sample_rate_nor_on_loudness(rate, gain):
    features = log_mel(gain * tone(rate), rate, 50, 24)
    assert features.shape == (50, 24)
    assert features.dtype == np.float32
    same = log_mel(tone(16000), 16000, 50, 24)
    # Beyond half of its sample rate a recording has nothing to say.
    audible = slice(0, 12)
    np.testing.assert_array_equal(features.argmax(axis=1), same.argmax(axis=1))
    np.testing.assert_allclose(features[5:45, audible], same[5:45, audible], atol=0.5)


def test_short_clips_keep_their_length_and_long_ones_are_cut():
    short = log_mel(tone(16000, 0.1), 16000, 50, 24)
    assert short.shape == (20, 24)
    np.testing.assert_allclose([short.mean(), short.std()], [0, 1], atol=1e-5)
    long, longer = (log_mel(tone(16000, x), 16000, 50, 24) for x in (2, 3))
    np.testing.assert_array_equal(long, longer)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("samples", [[0.0] * 8000, [1.0] * 8000, [1.0], [0.0]])
def test_features_of_hardly_any_sound_are_finite(samples, rate):
    features = log_mel(np.array(samples, np.float32), rate, 50, 24)
    assert len(features) >= 1
    assert np.isfinite(features).all()


def test_unusable_files_are_skipped_and_named(tmp_path, capsys):
    write_tones(tmp_path / "elsewhere")
    high = tmp_path / "elsewhere" / "high"
    (high / "broken.mp3").write_bytes(bytes(range(256)) * 40)
    soundfile.write(high / "no samples.wav", np.zeros(0), 16000)
    soundfile.write(high / "nan.wav", np.full(9999, np.nan), 16000, subtype="FLOAT")
    (high / ".hidden.wav").write_text("not audio")
    write_tone(high / "deeper" / "short.wav", seconds=0.002)
    (tmp_path / "data" / ".cache").mkdir(parents=True)
    for link, name in (("one", "low"), ("two", "high")):  # links are classes too
        (tmp_path / "data" / link).symlink_to(tmp_path / "elsewhere" / name)
    classes, training, validation = load(tmp_path / "data")
    assert classes == ["one", "two"]
    assert len(training) + len(validation) == 13
    printed = capsys.readouterr().out
    assert printed.count("Skipped ") == 3
    for name in ("broken.mp3", "no samples.wav", "nan.wav"):
        assert f"Skipped {tmp_path / 'data' / 'two' / name}: " in printed


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_without_two_clips_is_an_error(count, tmp_path):
    """An empty folder too, which would be missing among the classes unnoticed."""
    write_tones(tmp_path)
    (tmp_path / "rare").mkdir()
    if count:
        write_tone(tmp_path / "rare" / "a.flac")
        (tmp_path / "rare" / "b.flac").write_text("not audio")
    with pytest.raises(clips.DataError, match=rf"'rare' has {count}\. Add clips"):
        load(tmp_path)


def test_split_is_stratified_and_fixed_by_the_seed():
    labels = np.random.default_rng(0).permutation([0] * 2 + [1] * 13 + [2] * 40)
    whole = [clips.Clip(index, label) for index, label in enumerate(labels)]
    training, validation = clips.split(whole, 5)
    assert sorted(c.features for c in training + validation) == list(range(55))
    assert list(np.bincount([clip.label for clip in validation])) == [1, 3, 8]
    assert clips.split(whole, 5) == (training, validation)
    assert clips.split(whole, 6) != (training, validation)


def test_made_up_clips_differ_have_silence_and_follow_the_seed():
    one, other = clips.made_up(32, seed=0), clips.made_up(32, seed=0)
    names = [clip.class_name for clip in one]
    assert names.count("bell") == 8
    assert {*names} == {*INSTRUMENTS}
    made = [clip.load()[0] for clip in one]
    assert len({recording[:8000].tobytes() for recording in made}) == 32
    np.testing.assert_array_equal(made[1], other[1].load()[0])
    for recording in made[:8]:
        blocks = np.abs(recording[: len(recording) // 800 * 800]).reshape(-1, 800)
        loudness = blocks.max(axis=1) / blocks.max()
        assert loudness.min() < 0.1
