"""The audio classifier of examples/ on small data: files, reproducibility, NaN."""

import json
import types
import zipfile

import keras
import numpy as np
import pytest
import soundfile
from audio_classifier import experiment
from audio_classifier.model import build_model
from audio_classifier.settings import POOLINGS, Sizes

import statpool
from tests.examples import audio_program
from tests.examples.audio_program import QUICK, SMALL, run, write_tone, write_tones


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    write_tones(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tones, tmp_path_factory):
    """A model that tells the tones apart; the output folder and what was printed."""
    output = tmp_path_factory.mktemp("trained")
    options = [*SMALL, "--epochs", "30", "--dropout", "0", "--pooling", "statpool"]
    result = run("train", "--data", tones, "--output", output, *options)
    assert result.exit_code == 0, result.output
    return types.SimpleNamespace(output=output, text=result.output)


def read_results(output):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = (output / "results.json").read_text()
    return json.loads(text, parse_constant=refuse)


def without_times(results):
    return [{**result, "seconds_per_epoch": None} for result in results]


def test_training_writes_what_it_promises(trained):
    assert {path.name for path in trained.output.iterdir()} == {
        "learning_curves.png",
        "results.json",
        "statpool.keras",
    }
    (result,) = read_results(trained.output)
    assert set(result) == {
        "pooling",
        "classes",
        "epochs",
        "first_nan_epoch",
        "seconds_per_epoch",
    }
    assert result["pooling"] == "statpool"
    assert result["classes"] == ["high", "low"]
    assert len(result["epochs"]) == 30
    for epoch in result["epochs"]:
        assert set(epoch) == {
            *("loss", "accuracy", "val_loss", "val_accuracy", "nan_weights")
        }
    assert result["epochs"][-1]["val_accuracy"] == 1
    assert result["first_nan_epoch"] is None
    assert result["seconds_per_epoch"] > 0
    png = (trained.output / "learning_curves.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")


def test_training_prints_progress_counts_and_the_table(trained):
    assert "features" in trained.text
    assert "12/12" in trained.text
    assert "Training: 10 clips (5 high, 5 low)" in trained.text
    assert "Validation: 2 clips (1 high, 1 low)" in trained.text
    assert "Skipped" not in trained.text
    (row,) = [line for line in trained.text.splitlines() if line[:1] == "│"]
    pooling, best, last, nan, seconds = row.strip("│").split("│")
    assert [cell.strip() for cell in (pooling, best, last, nan)] == [
        "statpool",
        "100.0%",
        "100.0%",
        "never",
    ]
    assert float(seconds) >= 0


def test_predict_in_a_fresh_process(trained, tones):
    files = sorted(tones.rglob("*.*"))
    model = trained.output / "statpool.keras"
    result = audio_program.run_in_fresh_process("predict", "--model", model, *files)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(file) for file in files]
    assert [row[1] for row in rows] == [file.parent.name for file in files]
    assert all(0.5 <= float(row[2]) <= 1 for row in rows)


def test_same_seed_same_results(tones, tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        output = tmp_path / name
        run("train", "--data", tones, "--output", output, "--seed", seed, *QUICK)
    one, two, other = (
        without_times(read_results(tmp_path / name)) for name in ("one", "two", "other")
    )
    assert one == two
    assert one != other


def test_lambda_goes_nan_on_natural_input_and_statpool_does_not(tmp_path):
    """The failure and the cure of design.md, on the synthetic recordings."""
    features = ("--frames", "512", "--hop", "400", "--mel-bands", "32")
    options = (*features, "--clips", "40", "--epochs", "3")
    result = run("train", "--output", tmp_path, *options, "--pooling", *POOLINGS)
    assert result.exit_code == 0, result.output
    results = {result["pooling"]: result for result in read_results(tmp_path)}
    assert list(results) == list(POOLINGS)
    broken = results.pop("lambda")
    assert broken["first_nan_epoch"] == 1
    assert all(epoch["nan_weights"] == 12 for epoch in broken["epochs"])
    assert [epoch["loss"] for epoch in broken["epochs"]] == [None] * 3
    # Ten bells of forty clips, two of them among the nine for validation.
    assert broken["epochs"][-1]["val_accuracy"] == pytest.approx(2 / 9)
    for healthy in results.values():
        assert healthy["first_nan_epoch"] is None
    native, composite = (
        [list(epoch.values()) for epoch in results[name]["epochs"]]
        for name in ("statpool", "composite")
    )
    np.testing.assert_allclose(native, composite, rtol=1e-3)
    assert not (tmp_path / "lambda.keras").exists()


def test_poolings_start_from_the_same_weights():
    weights = {}
    for pooling in POOLINGS:
        keras.utils.set_random_seed(7)
        network = build_model(pooling, (64, 16), 3, Sizes())
        weights[pooling] = network.get_weights()
    for pooling in ("composite", "statpool"):
        assert all(map(np.array_equal, weights[pooling], weights["lambda"]))
    convolutions = slice(0, 6)  # the dense layers of mean-max see fewer statistics
    assert all(
        map(
            np.array_equal,
            weights["mean-max"][convolutions],
            weights["lambda"][convolutions],
        )
    )


@pytest.mark.parametrize(
    ("pooling", "implementation"), [("statpool", "auto"), ("composite", "composite")]
)
def test_each_pooling_is_the_layer_that_it_names(pooling, implementation):
    layers = build_model(pooling, (64, 16), 3, Sizes()).layers
    (layer,) = (x for x in layers if isinstance(x, statpool.GlobalStatsPooling1D))
    assert layer.implementation == implementation
    assert layer.statistics == ("mean", "max", "l2")


def test_network_is_that_of_the_question():
    network = build_model("statpool", (2580, 128), 8, Sizes())
    shapes = [weight.shape for weight in network.weights]
    assert shapes[::2] == [
        (4, 128, 10),
        (4, 10, 10),
        (4, 10, 20),
        (60, 100),
        (100, 100),
        (100, 8),
    ]
    pooled = next(layer for layer in network.layers if "stats" in layer.name)
    assert pooled.input.shape == (None, 80, 20)
    assert isinstance(network.optimizer, keras.optimizers.Adam)
    assert network.loss == "categorical_crossentropy"


def test_unusable_files_are_skipped_counted_and_named(tmp_path):
    data = tmp_path / "data"
    write_tones(data)
    high = data / "high"
    (high / "broken.mp3").write_bytes(bytes(range(256)) * 40)
    (high / "empty.flac").write_bytes(b"")
    soundfile.write(high / "no samples.wav", np.zeros(0), 16000)
    soundfile.write(high / "nan.wav", np.full(9999, np.nan), 16000, subtype="FLOAT")
    (high / "notes.txt").write_text("not audio")
    (high / ".hidden.wav").write_text("not audio either")
    write_tone(high / "deeper" / "short.wav", 2500, seconds=0.002)
    soundfile.write(data / "low" / "silent.wav", np.zeros(9999), 16000)
    result = run("train", "--data", data, "--output", tmp_path / "output", *QUICK)
    assert result.exit_code == 0, result.output
    assert "Skipped 4 of 18 files" in result.output
    for name in ("broken.mp3", "empty.flac", "no samples.wav", "nan.wav"):
        assert f"{high / name}: " in result.output
    assert "Left out, not named like audio: 1, such as" in result.output
    assert str(high / "notes.txt") in result.output
    assert ".hidden" not in result.output


def test_validation_folder_replaces_the_split(tones, tmp_path):
    write_tone(tmp_path / "more" / "low" / "a.wav", 310)
    write_tone(tmp_path / "more" / "high" / "a.wav", 2600)
    write_tone(tmp_path / "more" / "high" / "b.wav", 2700)
    options = ["--data", tones, "--validation-data", tmp_path / "more", *QUICK]
    result = run("train", "--output", tmp_path / "output", *options)
    assert "Training: 12 clips (6 high, 6 low)" in result.output
    assert "Validation: 3 clips (2 high, 1 low)" in result.output


def test_an_interrupt_keeps_finished_poolings(tones, tmp_path, monkeypatch):
    original = experiment.train

    def interrupted(*arguments, **options):
        if (tmp_path / "results.json").exists():
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(experiment, "train", interrupted)
    poolings = ["--pooling", "composite", "--pooling", "statpool"]
    options = [*SMALL, "--epochs", "1", *poolings]
    result = run("train", "--data", tones, "--output", tmp_path, *options)
    assert result.exit_code == 1
    assert "Aborted" in result.output
    assert [r["pooling"] for r in read_results(tmp_path)] == ["composite"]


def write_foreign_model(path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)


def write_archive_without_network(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("audio_classifier.json", "[]")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("not a model"),
        write_foreign_model,
        write_archive_without_network,
    ],
)
def test_predict_with_a_file_that_is_no_model(write, tones, tmp_path):
    model = tmp_path / "model.keras"
    write(model)
    result = run("predict", "--model", model, tones / "low" / "0.wav")
    assert result.exit_code == 2
    assert "is not a model that `train` saved" in result.output


def test_predict_names_what_it_cannot_read_and_does_the_rest(trained, tones, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_text("not audio")
    missing = tmp_path / "missing.wav"
    good = tones / "low" / "0.wav"
    model = trained.output / "statpool.keras"
    result = run("predict", "--model", model, broken, good, missing)
    assert result.exit_code == 2
    assert f"{good}\tlow\t" in result.stdout
    assert "No class for 2 of 3 files" in result.stderr
    assert f"{broken}: " in result.stderr
    assert f"{missing}: " in result.stderr
