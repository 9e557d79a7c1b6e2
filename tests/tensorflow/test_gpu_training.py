"""The judge of tests/programs/gpu_training.py, which itself takes minutes, or a GPU."""

import dataclasses

import pytest
import tensorflow as tf

import statpool
from statpool import _native
from tests.programs import gpu_training
from tests.programs.gpu_training import Case, Trained

CASES = [Case("float32", jit, "CPU") for jit in (False, True)]


def run_in_a_graph(jit):
    """Runs the op and its gradient; returns the calls that TensorFlow placed."""

    @tf.function(jit_compile=jit)
    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = statpool.global_stats(x, implementation="native")
        return tape.gradient(y, x)

    _native.ops()
    with gpu_training._Graphs() as graphs:
        tf.function(lambda x: both(x))(tf.ones([2, 3, 4]))
    return graphs.calls


@pytest.mark.parametrize("case", CASES, ids=str)
def test_calls_are_found_where_tensorflow_placed_them(case):
    calls = run_in_a_graph(case.jit)
    assert {op for op, _ in calls} == gpu_training.OPS
    right = Trained([2.0, 1.0], "", 0, calls)
    assert gpu_training.faults(case, right) == []
    elsewhere = dataclasses.replace(case, device="GPU")
    otherwise = dataclasses.replace(case, jit=not case.jit)
    for asked in (elsewhere, otherwise):
        found = gpu_training.faults(asked, right)
        assert len(found) == len(calls)
        assert all(f"must run as {asked}, got '" in fault for fault in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"losses": [2.0, float("nan")]}, "losses must be finite"),
        ({"losses": [2.0, 2.0]}, "losses must fall"),
        ({"spoilt": 3}, "weights must be finite, got 3 arrays"),
        ({"calls": []}, "the op and its gradient must run"),
    ],
)
def test_faults_of_a_training_are_named(change, words):
    calls = [(op, "/device:CPU:0") for op in sorted(gpu_training.OPS)]
    trained = Trained([2.0, 1.0], "", 0, calls)
    assert gpu_training.faults(CASES[0], trained) == []
    (fault,) = gpu_training.faults(CASES[0], dataclasses.replace(trained, **change))
    assert fault.startswith(words)


@pytest.mark.parametrize(
    ("digests", "status", "said"),
    [
        (("other", "same", "same"), 0, "6 of 6 trainings on the CPU right"),
        (("same", "same", "other"), 1, "same bits in two runs, got same and other"),
        (("same", "", "same"), 1, "Error: no"),
    ],
)
def test_two_runs_of_other_bits_are_a_fault(monkeypatch, capsys, digests, status, said):
    answers = iter(digests)

    def trained(case, digest):
        device = ("XLA " if case.jit else "") + "/device:CPU:0"
        calls = [(op, device) for op in sorted(gpu_training.OPS)]
        return Trained([2.0, 1.0], digest, 0, calls) if digest else "Error: no"

    def call(function, cases, deterministic):
        assert function is gpu_training.train_all
        digest = next(answers)
        return [trained(case, digest) for case in cases]

    monkeypatch.setattr(gpu_training.fresh_process, "call", call)
    assert gpu_training.main("CPU") == status
    assert said in capsys.readouterr().out
