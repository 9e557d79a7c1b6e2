"""The benchmark of the CUDA kernels checks before it times.

The emulator runs it, whose times mean nothing: there are none, but where a test says
that it is a GPU.
"""

import dataclasses

import numpy as np
import pytest

from benchmarks import cases, correctness, grid, limits, results, run
from benchmarks.engines import cuda_engine
from tests.support import cuda_launchers


@pytest.fixture
def measured(cuda, tmp_path):
    """Runs the command; returns its status and the rows of the CSV."""

    def measured(wanted):
        options = "--engines", "cuda", "--cells", "tiny", "--filter", wanted
        status = run.main([*options, "--device", "cpu", "--output", str(tmp_path)])
        return status, results.load(tmp_path / results.CSV_NAME)

    return measured


@pytest.fixture
def timed(measured, emulated_cuda, monkeypatch):
    """Takes the emulator for a GPU, with few samples and no cache to flush."""
    monkeypatch.setattr(emulated_cuda, "is_emulated", False)
    monkeypatch.setattr(cuda_engine, "_FLUSHES", 0)
    monkeypatch.setattr(cuda_engine, "ROOM", 1 << 18)
    return measured


def test_every_tiny_configuration_is_right(measured):
    status, rows = measured("")
    assert status == 0
    # Shapes, dtypes, layouts, masked or not; two shapes once more for mean + std.
    assert len(rows) == 2 * (3 * 4 * 2 * 2 + 2 * 4 * 2)
    assert (rows["status"] == correctness.OK).all()
    assert set(rows["mode"]) == {cases.FORWARD, cases.BACKWARD}
    assert (rows["bytes"] > 0).all()
    assert rows[["seconds", "gb_per_s", "share_of_limit"]].isna().all(axis=None)


def test_a_share_is_of_a_limit_that_moves_as_many_bytes(timed):
    _, rows = timed("3x41x5 float32 cold")
    names = {cases.FORWARD: limits.READ, cases.BACKWARD: limits.COPY}
    assert len(rows) == 2 * len(names)
    for mode, name in names.items():
        limit, row = (r for _, r in rows[rows["mode"] == mode].iterrows())
        assert limit["provider"] == row["limit"] == name
        assert row["bytes"] <= limit["bytes"] < row["bytes"] + 16
        assert row["limit_seconds"] == limit["seconds"] > 0
        share = row["limit_seconds"] / row["seconds"]
        assert row["share_of_limit"] == pytest.approx(share, rel=1e-5)


def test_limits_move_what_they_say(emulated_cuda):
    """A read by the emulator's counts; a copy takes half of it there."""
    engine = cuda_engine.CudaEngine(emulated_cuda)
    for moved in (16, 4096 + 48, 1 << 16):
        emulated_cuda.reset_counts()
        emulated_cuda.check(engine.read(moved))
        [launch] = emulated_cuda.counts()
        loaded = [a["distinct_bytes_loaded"] for a in launch["allocations"]]
        assert sum(loaded) == moved
    source, target = engine.source.fetch(), engine.target.fetch()
    target[:] = 0
    engine.target.send()
    emulated_cuda.check(engine.copy(1 << 16))
    engine.target.fetch()
    np.testing.assert_array_equal(target[: 1 << 15], source[: 1 << 15])
    assert not target[1 << 15 :].any()


def test_every_configuration_has_room_in_what_is_read():
    kernels = [cell for cell in grid.full() if cell.dispatch == "kernel"]
    for cell in kernels:
        case = dataclasses.replace(cell.case, masked=0.0)
        moved = case.moved_bytes(cell.mode) + case.batch * case.time
        passes = 1 if cell.mode == cases.FORWARD else 2
        assert moved <= passes * cuda_engine.ROOM
    assert len(kernels) == 2 * (7 * 4 * 2 * 2 + 4 * 2)


@pytest.mark.parametrize("method", ["forward", "gradient"])
def test_wrong_results_are_found(measured, monkeypatch, method):
    """A single value, a few units of rounding off."""
    right = getattr(cuda_launchers.Pooling, method)

    def wrong(self, *arguments):
        result = right(self, *arguments)
        result.flat[0] += np.float32(2**-10)
        return result

    monkeypatch.setattr(cuda_launchers.Pooling, method, wrong)
    status, rows = measured("backward .*2x40x128 float32 cold")
    assert status == 1
    assert set(rows["status"]) <= {correctness.WRONG, correctness.IMPRECISE}
