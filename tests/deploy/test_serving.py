"""What docs/deploy.md says is done as it says it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "serving" / "run_saved_model.cc"
PAGE = (ROOT / "docs" / "deploy.md").read_text()
LIBRARY = f"./{Path(statpool.library_path()).name}"
NAMES = "serving_default_clip:0", "PartitionedCall_1:0"


def blocks(language, section=""):
    """The code of the page from a section on."""
    _, _, text = PAGE.rpartition(f"## {section}") if section else ("", "", PAGE)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def pooling():
    clip = keras.Input((9, 4), name="clip")
    return keras.Sequential([clip, statpool.GlobalStatsPooling1D()])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All that the page's section on C++ needs, and what its commands make of it."""
    folder = tmp_path_factory.mktemp("serving")
    statpool.export(pooling(), folder / "model", implementation="native", verbose=False)
    for library in Path(statpool.library_path()).parent.glob("libstatpool*.so"):
        shutil.copy(library, folder)
    shutil.copy(PROGRAM, folder)
    np.savetxt(folder / "numbers", np.arange(36))
    commands = blocks("", "A server in C++")[0]
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=folder,
        capture_output=True,
        check=False,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


def run(folder, *arguments, numbers=()):
    return subprocess.run(
        ["./run_saved_model", *map(str, arguments)],
        cwd=folder,
        input=" ".join(map(repr, numbers)),
        capture_output=True,
        check=False,
        text=True,
    )


def test_the_commands_for_a_server_in_cpp(folder):
    said = (folder / "said").read_text()
    assert all(f"name: {name}" in said for name in NAMES)
    y = np.array(said.splitlines()[-12:], np.float32)
    x = np.arange(36, dtype=np.float32).reshape(1, 9, 4)
    np.testing.assert_array_equal(y, statpool.global_stats(x)[0])


def test_a_batch(folder):
    x = np.random.default_rng(0).normal(size=(2, 9, 4)).astype(np.float32)
    names = LIBRARY, "model", *NAMES
    done = run(folder, *names, *x.shape, numbers=x.ravel().tolist())
    assert done.returncode == 0, done.stderr
    y = np.array(done.stdout.split(), np.float32).reshape(2, 12)
    np.testing.assert_array_equal(y, statpool.global_stats(x))


@pytest.mark.parametrize(
    ("library", "name", "sentence"),
    [
        (LIBRARY, "clap:0", "the model must have the tensor, got no clap:0"),
        (LIBRARY, NAMES[0], "the input must have 36 numbers, got 0"),
        ("./no.so", NAMES[0], "./no.so: "),
    ],
)
def test_errors_are_sentences(library, name, sentence, folder):
    done = run(folder, library, "model", name, NAMES[1], 1, 9, 4)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(sentence)


def test_the_examples_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, module = pooling(), tf.Module()
    model(np.zeros((2, 9, 4), np.float32))
    spec = tf.TensorSpec([None, 9, 4], tf.float32)
    module.serve = tf.function(model, input_signature=[spec])
    for block in blocks("python"):
        exec(block, {"statpool": statpool, "tf": tf, "model": model, "module": module})
    assert {path.name for path in tmp_path.iterdir()} == {
        "model",
        "model.onnx",
        "model.tflite",
    }


def test_what_the_page_says_of_l2_normalize():
    x = tf.constant([[[3.0, 0.0], [4.0, 0.0]]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.l2_normalize(x, axis=1)
    np.testing.assert_allclose(y, [[[0.6, 0.0], [0.8, 0.0]]], rtol=1e-6)
    assert np.isfinite(tape.gradient(y, x)).all()
