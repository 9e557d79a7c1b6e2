"""What the user has to put right ends the example with a message and exit code 2."""

import pytest

import statpool
from tests.examples.audio_program import (
    PROGRAM,
    QUICK,
    run,
    run_in_fresh_process,
    write_tone,
    write_tones,
)


def single_class(folder):
    write_tone(folder / "only" / "a.wav", 440)


def single_valid_class(folder):
    write_tones(folder, {"good": 440})
    (folder / "bad").mkdir()
    (folder / "bad" / "a.wav").write_text("not audio")


def no_valid_file(folder):
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.wav").write_text("not audio")


def one_clip_per_class(folder):
    write_tone(folder / "low" / "a.wav", 300)
    write_tone(folder / "high" / "a.wav", 2500)


def files_at_the_top(folder):
    write_tone(folder / "a.wav", 440)


def nothing(folder):
    folder.mkdir()


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: None, "does not exist"),
        (nothing, "There is no audio in"),
        (files_at_the_top, "0 sub-folders and 1 other entries"),
        (single_class, "at least two classes; "),
        (single_valid_class, "has only 'good'"),
        (no_valid_file, "has no valid file"),
        (one_clip_per_class, "No clip is left for validation"),
    ],
)
def test_data_that_cannot_be_trained_on(prepare, message, tmp_path):
    prepare(tmp_path / "data")
    options = ["--data", tmp_path / "data", "--output", tmp_path / "output"]
    result = run("train", *options, *QUICK)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "0 is not in the range x>=1"),
        (["--pooling", "median"], "'median' is not one of 'lambda', 'mean-max'"),
        (["--pooling", "lambda", "median"], "'median' is not one of 'lambda'"),
        (["--frames", "31"], "--frames must be at least 32"),
        (["--validation-data", "."], "needs --data"),
        (["--output", str(PROGRAM)], "Cannot write to the output folder"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--data", str(PROGRAM)], "is a file"),
    ],
)
def test_options_that_make_no_sense(options, message):
    result = run("train", *options)
    assert result.exit_code == 2
    assert message in result.output


def test_validation_folder_of_other_classes(tmp_path):
    write_tones(tmp_path / "data")
    write_tones(tmp_path / "more", {"high": 2500, "middle": 900})
    options = ["--data", tmp_path / "data", "--validation-data", tmp_path / "more"]
    result = run("train", "--output", tmp_path / "output", *options, *QUICK)
    assert result.exit_code == 2
    assert "missing: ['low'], unknown: ['middle']" in result.output


def test_a_missing_native_library_ends_before_training(tmp_path, monkeypatch):
    def unavailable(*arguments, **options):
        raise statpool.NativeLibraryError("run 'make build'")

    monkeypatch.setattr("statpool.global_stats", unavailable)
    result = run("train", "--output", tmp_path, "--pooling", "lambda", "statpool")
    assert result.exit_code == 2
    assert "run 'make build'" in result.output


def test_a_full_disk_under_the_features(tmp_path, monkeypatch):
    def on_full_disk(dir):
        return open("/dev/full", "wb")

    write_tones(tmp_path / "data")
    monkeypatch.setattr("audio_classifier.store.tempfile.TemporaryFile", on_full_disk)
    options = ["--data", tmp_path / "data", "--output", tmp_path / "output"]
    result = run("train", *options, *QUICK)
    assert result.exit_code == 2
    assert "Cannot write the features" in result.output
    assert "No space left on device" in result.output


def test_output_that_stops_being_writable(tmp_path):
    write_tones(tmp_path / "data")
    (tmp_path / "output" / "results.json").mkdir(parents=True)
    options = ["--data", tmp_path / "data", "--output", tmp_path / "output"]
    result = run("train", *options, *QUICK)
    assert result.exit_code == 2
    assert "Cannot write to" in result.output


def test_an_error_is_no_traceback_in_a_real_process(tmp_path):
    (tmp_path / "empty").mkdir()
    options = ["--data", tmp_path / "empty", "--output", tmp_path / "output"]
    result = run_in_fresh_process("train", *options)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: There is no audio in")
    assert "Traceback" not in result.stderr
