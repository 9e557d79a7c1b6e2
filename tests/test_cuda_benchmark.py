"""The benchmark of the CUDA kernels checks before it times.

The emulator runs it, so that its times mean nothing.
"""

import sys
from pathlib import Path

import cuda_launchers
import numpy as np
import pytest
from click.testing import CliRunner
from native_build import UnavailableError

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import cuda_kernels


@pytest.fixture
def run():
    """Runs the command; returns its status and lines."""
    try:
        cuda_launchers.load()
    except UnavailableError as error:
        pytest.skip(str(error))

    def run(*arguments):
        done = CliRunner().invoke(cuda_kernels.main, ["--tiny", *arguments])
        return done.exit_code, done.output.splitlines()

    return run


def test_every_tiny_configuration_is_right_and_timed(run):
    status, lines = run()
    assert status == 0, lines
    right = [line for line in lines if line.endswith(" right")]
    assert len(right) == 3 * 4 * 2 * 2  # shapes, dtypes, layouts, masked or not
    assert lines[-1] == f"{len(right)} configurations right, 0 wrong"
    for name in ("forward", "gradient"):
        timed = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(timed) == len(right)
        assert all("GB/s" in line and "of a copy" in line for line in timed)


def test_a_filter_keeps_what_contains_it(run):
    status, lines = run("3x41x5 float64 channels_first")
    assert status == 0, lines
    assert lines[-1] == "2 configurations right, 0 wrong"


def test_a_filter_that_keeps_nothing_fails(run):
    status, lines = run("no such thing")
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
    status, lines = run("2x40x128 float32")
    assert status == 1
    assert lines[-1] == "0 configurations right, 4 wrong"
    assert not any(line.startswith("  ") for line in lines)
