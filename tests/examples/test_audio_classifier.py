"""The audio classifier of examples/ on small data: results, NaN, lengths, errors."""

import json
import math
import re

import keras
import numpy as np
import pytest
import train_audio_classifier
from audio_classifier import report
from train_audio_classifier import POOLINGS, build_model

import statpool
from tests.examples.tones import write_tone, write_tones

SMALL = "--frames", 64, "--mel-bands", 16, "--batch-size", 4, "--pooling", "statpool"
KEYS = {"loss", "accuracy", "val_loss", "val_accuracy", "nan_weights"}


def run(*arguments):
    train_audio_classifier.main(["train", *map(str, arguments)])


def read_results(output):
    text = (output / "results.json").read_text()
    assert not re.search("NaN|Infinity", text)  # which JSON doesn't know
    return json.loads(text)


def test_training_writes_and_prints_what_it_promises(tmp_path, capsys):
    """Of six clips of the first class and twelve of the other."""
    write_tones(tmp_path / "data")
    for index in range(6):
        write_tone(tmp_path / "data" / "low" / f"more-{index}.wav", 320 + index)
    output = tmp_path / "output"
    run("--data", tmp_path / "data", "--output", output, *SMALL, "--epochs", 40)
    names = {"learning_curves.png", "results.json", "statpool.keras"}
    assert {path.name for path in output.iterdir()} == names
    (result,) = read_results(output)
    assert result["pooling"] == "statpool"
    assert result["classes"] == ["high", "low"]
    assert len(result["epochs"]) == 40
    assert all(set(epoch) == KEYS for epoch in result["epochs"])
    assert result["first_nan_epoch"] is None
    assert result["seconds_per_epoch"] > 0
    assert (output / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "Training: 15 clips (5 high, 10 low)" in printed
    assert "Validation: 3 clips (1 high, 2 low)" in printed
    assert re.search("^statpool +100.0% .* no NaN$", printed, re.MULTILINE)
    assert "Always saying 'low' would be 66.7% right." in printed  # not the first class
    model = keras.models.load_model(output / "statpool.keras")
    assert any(isinstance(x, statpool.GlobalStatsPooling1D) for x in model.layers)


def test_lambda_goes_nan_on_natural_input_and_statpool_does_not(tmp_path, capsys):
    """Whether the loss shows it depends on oneDNN: the report says what was seen."""
    options = "--frames", 512, "--mel-bands", 32, "--clips", 40, "--epochs", 3
    run("--output", tmp_path, *options, "--pooling", *POOLINGS)
    results = {result["pooling"]: result for result in read_results(tmp_path)}
    assert list(results) == list(POOLINGS)
    broken = results.pop("lambda")
    assert broken["first_nan_epoch"] == 1
    hidden = broken["epochs"][-1]["loss"] is not None
    said = "a finite loss hides NaN in 7" if hidden else "the loss shows NaN in 12"
    said = f"{said} of 12 weight arrays from epoch 1"
    assert said in capsys.readouterr().out
    assert all(healthy["first_nan_epoch"] is None for healthy in results.values())
    native, composite = (
        [list(epoch.values()) for epoch in results[name]["epochs"]]
        for name in ("statpool", "composite")
    )
    np.testing.assert_allclose(native, composite, rtol=1e-3)
    assert not (tmp_path / "lambda.keras").exists()


def history(loss, nan_weights):
    """Three epochs, of which the first is whole."""
    losses, shares = [1.0, loss, loss], [0.5] * 3
    logs = {"loss": losses, "val_loss": losses}
    logs |= {"accuracy": shares, "val_accuracy": shares}
    logs |= {"nan_weights": [0, nan_weights, nan_weights], "seconds": [9.0, 1.0, 3.0]}
    return report.History("lambda", ["a", "b"], logs, 12)


def test_a_finite_loss_of_lost_weights_is_drawn_and_said():
    """A curve called NaN isn't drawn under the words that a NaN has no point."""
    _, axes = report.draw([history(0.69, 7)], ("a", 0.6)).axes
    assert axes.get_title() == "Training loss"
    guess, curve = (list(line.get_ydata()) for line in axes.lines)
    assert (guess, curve) == ([math.log(2)] * 2, [1.0, 0.69, 0.69])
    label = axes.get_legend().get_texts()[0].get_text()
    said = "a finite loss hides NaN in 7 of 12 weight arrays from epoch 2"
    assert label == f"lambda: {said}"


def test_a_nan_loss_is_said_and_null_in_results(tmp_path):
    broken, whole = history(np.nan, 12), history(0.5, 0)
    _, axes = report.draw([broken, whole], ("a", 0.6)).axes
    assert axes.get_title() == "Training loss (a NaN loss has no point)"
    assert broken.fate == "the loss shows NaN in 12 of 12 weight arrays from epoch 2"
    assert whole.fate == "no NaN"
    report.write_results([broken], tmp_path / "results.json")
    (result,) = read_results(tmp_path)
    assert [epoch["loss"] for epoch in result["epochs"]] == [1.0, None, None]
    assert result["seconds_per_epoch"] == 2


def test_short_clips_are_pooled_over_their_length():
    """Zeros after a clip's end don't change what the network answers."""
    x = np.random.default_rng(0).normal(size=(1, 48, 16)).astype(np.float32)
    answers = []
    for pooling, frames in (("statpool", 64), ("statpool", 640), ("composite", 640)):
        keras.utils.set_random_seed(1)
        model = build_model(pooling, (frames, 16), 2)
        padded = np.pad(x, [(0, 0), (0, frames - 48), (0, 0)])
        inputs = {"features": padded, "frames": np.array([48])}
        answers.append(model.predict(inputs, verbose=0))
    np.testing.assert_allclose(answers[1:], answers[:1] * 2, rtol=1e-5)


def test_network_is_that_of_the_question():
    weights = {}
    for pooling in ("lambda", "statpool"):
        keras.utils.set_random_seed(7)
        model = build_model(pooling, (2580, 128), 8)
        weights[pooling] = model.get_weights()
    shapes = [(4, 128, 10), (4, 10, 10), (4, 10, 20), (60, 100), (100, 100), (100, 8)]
    assert [w.shape for w in weights["statpool"][::2]] == shapes
    assert model.loss == "categorical_crossentropy"
    assert all(map(np.array_equal, weights["lambda"], weights["statpool"]))


def test_what_the_user_must_put_right_is_no_traceback(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("--frames", 31)
    assert "must be at least 32" in capsys.readouterr().err
    (tmp_path / "data" / "only").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"Error: .* at least two; received \['only'"):
        run("--data", tmp_path / "data", "--output", tmp_path, *SMALL)
