"""`make gpu-tensorflow` up to the card: its steps and its messages."""

import csv
import json
import sys
from pathlib import Path

import pytest

from tools import gpu_tensorflow
from tools.steps import Steps

CONTRACT = "contract eager", "contract graph", "contract xla"
PROOF = "kernels", *CONTRACT, "training", "demo", "benchmark"


@pytest.fixture
def nvidia_smi(monkeypatch, tmp_path):
    """Says what another nvidia-smi, the only program on PATH, prints and returns."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(prints, status=0):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{prints}'\nexit {status}\n")
        program.chmod(0o755)

    return write


def test_steps_stand_in_their_order():
    prepared = gpu_tensorflow.preparation(gpu_tensorflow.VENV, Path("wheels"))
    names = " ".join(step.name for step in prepared)
    assert names == "wheels environment TensorFlow build doctor"
    for rehearsed in (False, True):
        steps = gpu_tensorflow.proof(Path("python"), rehearsed)
        assert tuple(step.name for step in steps) == PROOF
        for step in steps:
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
