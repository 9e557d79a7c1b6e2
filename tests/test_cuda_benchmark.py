"""The benchmark of the CUDA kernels checks before it times.

The emulator runs it, so that its times mean nothing.
"""

import sys
from pathlib import Path

import cuda_launchers
import numpy as np
import pytest
from native_build import UnavailableError

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import cases, cuda_kernels, results


@pytest.fixture
def run(tmp_path, capsys):
    """Runs the command; returns its status, lines, and rows of the CSV."""
    try:
        cuda_launchers.load()
    except UnavailableError as error:
        pytest.skip(str(error))

    def run(*arguments):
        status = cuda_kernels.main(["--tiny", "--output", str(tmp_path), *arguments])
        lines = capsys.readouterr().out.splitlines()
        return status, lines, results.load(tmp_path / results.CSV_NAME)

    return run


def test_every_tiny_configuration_is_right_and_timed(run):
    status, lines, rows = run()
    assert status == 0, lines
    right = [line for line in lines if line.endswith(" right")]
    # Shapes, dtypes, layouts, masked or not; two shapes once more for mean + std.
    assert len(right) == 3 * 4 * 2 * 2 + 2 * 4 * 2
    assert lines[-1] == f"{len(right)} configurations right, 0 wrong"
    limits = rows[rows["engine"] == "machine"]
    assert list(limits["provider"]) == ["nothing", "read", "copy"]
    assert (limits["status"] == "limit").all()
    timed = rows[rows["engine"] == "cuda"]
    assert len(timed) == 2 * len(right)
    assert (timed["status"] == "ok").all()
    assert (timed["seconds"] > 0).all()
    assert (timed["share_of_limit"] > 0).all()
    assert set(timed["mode"]) == {cases.FORWARD, cases.BACKWARD}


def test_a_filter_keeps_what_contains_it(run):
    status, lines, _ = run("3x41x5 float64 channels_first")
    assert status == 0, lines
    assert lines[-1] == "2 configurations right, 0 wrong"


def test_a_filter_that_keeps_nothing_fails(run):
    status, lines, _ = run("no such thing")
    assert status == 1
    assert lines[-1] == "0 configurations right, 0 wrong"


@pytest.mark.parametrize("method", ["forward", "gradient"])
def test_wrong_results_are_found_and_not_timed(run, monkeypatch, method):
    """A single value, a few units of rounding off."""
    right = getattr(cuda_launchers.Pooling, method)

    def wrong(self, *arguments):
        result = right(self, *arguments)
        result.flat[0] += np.float32(2**-10)
        return result

    monkeypatch.setattr(cuda_launchers.Pooling, method, wrong)
    status, lines, rows = run("2x40x128 float32")
    assert status == 1
    assert lines[-1] == "0 configurations right, 6 wrong"
    rows = rows[rows["engine"] == "cuda"]
    assert set(rows["status"]) <= {"wrong", "imprecise"}
    assert rows["seconds"].isna().all()
