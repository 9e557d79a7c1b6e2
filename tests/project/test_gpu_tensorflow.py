"""`make gpu-tensorflow` up to the card: its steps, its messages and its wheels."""

import csv
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tools import gpu_environment, gpu_ready, gpu_tensorflow, gpu_wheels
from tools.steps import Steps


@pytest.fixture
def nvidia_smi(monkeypatch, tmp_path):
    """Says what another nvidia-smi, the only program on PATH, prints and returns."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(prints, status=0):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{prints}'\nexit {status}\n")
        program.chmod(0o755)

    return write


def test_a_proof_runs_on_the_card_and_a_rehearsal_does_not():
    for rehearsed in (False, True):
        for step in gpu_tensorflow.proof(Path("python"), rehearsed):
            on_card = {"--gpu", "GPU", "gpu"} & {str(part) for part in step.command}
            assert bool(on_card) != rehearsed or step.name == "demo", step.command


def test_every_step_runs_and_has_a_line_whatever_became_of_others(tmp_path, capsys):
    def says(text, status=0):
        return sys.executable, "-c", f"print({text!r}); exit({status})"

    steps = Steps(tmp_path / "logs", {"PATH": ""})
    plan = [
        gpu_tensorflow.Step("first", says("one\n== 1 passed ==")),
        gpu_tensorflow.Step("second", says("two", 3)),
        gpu_tensorflow.Step("third", says("SKIPPED: no GPU\nall well"), never="no GPU"),
        gpu_tensorflow.Step("fourth", ("no-such-program",)),
        gpu_tensorflow.Step("fifth", says("five"), judge=lambda: ("90 %", True)),
        gpu_tensorflow.Step("sixth", says("six"), judge=lambda: json.loads("no json")),
    ]
    gpu_tensorflow.run(steps, plan)
    assert steps.finish("a card") == 1
    table = capsys.readouterr().out.partition(f"a card; logs in {tmp_path}/logs\n")[2]
    expected = (
        ("first", "passed,", "1 passed"),
        ("second", "FAILED (3),", "two"),
        ("third", "FAILED (log),", "SKIPPED: no GPU"),
        ("fourth", "FAILED (not run),", "no-such-program"),
        ("fifth", "passed,", "five"),
        ("fifth says", "passed", "90 %"),
        ("sixth", "passed,", "six"),
        ("sixth says", "FAILED", "unreadable: JSONDecodeError"),
    )
    for line, (name, verdict, said) in zip(table.splitlines(), expected, strict=True):
        assert line.startswith(f"{name:14} {verdict}"), line
        assert said in line, line
    assert (tmp_path / "logs" / "second.log").read_text() == "two\n"


NO_CARD = [
    (None, 0, ("nvidia-smi must be on PATH", "580.65")),
    ("no driver answers", 9, ("got 'no driver answers'; install", "container")),
    ("470.82.01, Tesla T4, 15360 MiB", 0, ("470.82", "too old", "580.65")),
]


@pytest.mark.parametrize(("prints", "status", "words"), NO_CARD)
def test_without_a_card_nothing_runs(
    nvidia_smi, capsys, monkeypatch, prints, status, words
):
    if prints:
        nvidia_smi(prints, status)
    monkeypatch.setattr(gpu_tensorflow, "Steps", None)
    assert gpu_tensorflow.main([]) == 1
    said = capsys.readouterr().out
    for word in (*words, "nothing was run", "REHEARSE=1"):
        assert word in said


@pytest.mark.parametrize("has_card", [False, True])
def test_a_rehearsal_says_so(nvidia_smi, capsys, monkeypatch, tmp_path, has_card):
    if has_card:
        nvidia_smi("580.65.06, NVIDIA H200, 143771 MiB")
    monkeypatch.setattr(gpu_tensorflow, "OUTPUT", tmp_path / "out")
    environment = gpu_tensorflow.gpu_environment  # knows it in ten seconds
    monkeypatch.setattr(environment, "has_tensorflow_for_gpus", lambda: True)
    monkeypatch.setattr(gpu_tensorflow, "preparation", lambda *_: [])
    monkeypatch.setattr(gpu_tensorflow, "proof", lambda *_: [])
    assert gpu_tensorflow.main(["--rehearse"]) == 0
    said = capsys.readouterr().out
    assert ("REHEARSED ON THE CPU, nothing here ran on a GPU" in said) != has_card
    assert ("NVIDIA H200" in said) == has_card


RIGHT = {"provider": "statpool", "status": "ok", "share_of_limit": "0.9", "reason": ""}
RIGHT |= {"mode": "forward", "batch": 4, "time": 5, "channels": 6, "dtype": "float32"}
ROWS = [
    ({}, "90% of the machine's limit at most, in forward 4x5x6 float32", True),
    ({"status": "wrong", "reason": "NaN"}, "statpool: NaN", False),
    ({"share_of_limit": ""}, "limit: none measured", False),
    ({"provider": "Lambda"}, "limit: none measured", False),
]


@pytest.mark.parametrize(("change", "said", "passed"), ROWS)
def test_a_benchmark_must_be_right_and_hold_limits(tmp_path, change, said, passed):
    with (tmp_path / "results.csv").open("w") as file:
        rows = csv.DictWriter(file, RIGHT)
        rows.writeheader()
        rows.writerow(RIGHT | change)
    assert gpu_tensorflow.judge_benchmark(tmp_path) == (said, passed)


@pytest.mark.parametrize(
    ("nan", "accuracy", "rehearsed", "passed"),
    [(None, 0.9, False, True), (None, 0.3, False, False), (None, 0.3, True, True)]
    + [(1, 0.9, rehearsed, False) for rehearsed in (False, True)],
)
def test_the_demo_must_learn(tmp_path, nan, accuracy, rehearsed, passed):
    lost = {"pooling": "lambda", "first_nan_epoch": 2, "epochs": [{"val_accuracy": 0}]}
    ours = {"pooling": "statpool", "first_nan_epoch": nan}
    both = [ours | {"epochs": [{"val_accuracy": accuracy}]}, lost]
    (tmp_path / "results.json").write_text(json.dumps(both))
    said, verdict = gpu_tensorflow.judge_demo(tmp_path, rehearsed)
    assert verdict == passed
    assert said.startswith(f"statpool {accuracy:.0%}")
    assert said.endswith("lambda 0%, NaN from epoch 2 on")


def test_wheels_are_the_only_source_where_they_are_given(tmp_path):
    environment = gpu_tensorflow.environment_for(tmp_path, tmp_path / "wheels", False)
    assert environment["PIP_NO_INDEX"] == "1"
    assert environment["PIP_FIND_LINKS"] == str(tmp_path / "wheels")


def test_each_missing_library_is_named_with_the_cure(monkeypatch, tmp_path):
    needed = {f"libstatpool_{n}.so.1": f"nvidia-{n}-cu12" for n in ("a", "b", "c")}
    monkeypatch.setattr(gpu_ready, "_LIBRARIES", {"12": needed})
    monkeypatch.setattr(gpu_ready, "asked", lambda: ["nvidia-a-cu12<13,>=12.5"])
    for package in ("b", "c"):
        (tmp_path / "nvidia" / package / "lib").mkdir(parents=True)
    (tmp_path / "nvidia" / "b" / "lib" / "libstatpool_b.so.1").write_text("broken")
    there = tmp_path / "nvidia" / "c" / "lib" / "libstatpool_c.so.1"
    subprocess.run(
        ["c++", "-shared", "-o", there, "-x", "c++", "/dev/null"], check=True
    )
    found = gpu_ready.missing("12.5.1", "77", tmp_path / "tensorflow")
    a, b, cudnn = (str(finding) for finding in found)
    assert a.startswith("--  libstatpool_a.so.1: TensorFlow must load it, got '")
    assert '-m pip install "nvidia-a-cu12<13,>=12.5"' in a
    assert "libstatpool_b.so.1: " in b
    assert "too short" in b
    assert "libcudnn.so.77" in cudnn
    assert 'pip install "nvidia-cudnn-cu12"' in cudnn


def test_the_libraries_are_those_that_the_wheel_asks_for():
    packages = {line.partition("<")[0] for line in gpu_ready.asked()}
    others = {"nvidia-cudnn-cu12", "nvidia-cuda-nvcc-cu12"}
    assert {*gpu_ready._LIBRARIES["12"].values()} | others == packages


def test_the_list_of_wheels(monkeypatch, tmp_path, capsys):
    def run(command, check):
        assert {"--dry-run", "--only-binary", "tensorflow[and-cuda]"} <= set(command)
        assert {"ninja", "nvidia-nvvm", "tf_keras", "pytest"} <= set(command)
        resolved = [{"name": "Big_One", "version": "1.5"}]
        resolved += [{"name": "other", "version": "2"}]
        report = {"install": [{"metadata": one} for one in resolved]}
        Path(command[command.index("--report") + 1]).write_text(json.dumps(report))

    monkeypatch.setattr(gpu_wheels, "subprocess", types.SimpleNamespace(run=run))
    assert gpu_wheels.check(tmp_path) == 1
    assert "tools.gpu_wheels list" in capsys.readouterr().out
    assert gpu_wheels.main(["list", str(tmp_path)]) == 0
    assert (tmp_path / "wheels.txt").read_text() == "big-one==1.5\nother==2\n"
    assert f"pip download --no-deps --only-binary :all: --dest {tmp_path}" in (
        capsys.readouterr().out
    )
    with (tmp_path / "big_one-1.5-py3-none-any.whl").open("w") as wheel:
        wheel.truncate(10**8)
    assert gpu_wheels.check(tmp_path) == 1
    assert "got none of other==2; " in capsys.readouterr().out
    (tmp_path / "other-2-cp311-cp311-linux_x86_64.whl").touch()
    assert gpu_wheels.check(tmp_path) == 0
    assert "0.1 GB" in capsys.readouterr().out


def test_what_a_python_has_is_not_pinned_anew_but_what_builds():
    pins = gpu_environment.pins_of_what_lacks().split()
    names = {pin.partition("==")[0] for pin in pins}
    assert not names & {"numpy", "keras", "pytest"}
    assert names >= {"setuptools", "cmake", "nvidia-nvvm"}
