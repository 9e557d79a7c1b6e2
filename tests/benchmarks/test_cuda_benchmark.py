"""The benchmark of the CUDA kernels checks before it times.

The emulator runs it, whose times mean nothing: there are none, but where a test says
that it is a GPU.
"""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cases, cuda_kernels, cuda_picture, results
from tests.support import cuda_launchers
from tests.support.native_build import UnavailableError

STORED = Path(__file__).parents[2] / "benchmarks" / "results"


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


@pytest.fixture
def timed(run, monkeypatch):
    """Takes the emulator for a GPU, with two samples of each and no cache to flush."""
    monkeypatch.setattr(cuda_launchers.load(), "is_emulated", False)
    monkeypatch.setattr(cuda_launchers, "gpu_name", lambda: "a card")
    monkeypatch.setattr(cuda_kernels, "_SAMPLES", 2)
    monkeypatch.setattr(cuda_kernels, "_FLUSHES", 0)
    return run


def of_kernels(rows):
    return rows[rows["engine"] == "cuda"]


def test_every_tiny_configuration_is_right(run):
    status, lines, rows = run()
    assert status == 0, lines
    right = [line for line in lines if line.endswith(" right")]
    # Shapes, dtypes, layouts, masked or not; two shapes once more for mean + std.
    assert len(right) == 3 * 4 * 2 * 2 + 2 * 4 * 2
    assert lines[-1] == f"{len(right)} configurations right, 0 wrong"
    kernels = of_kernels(rows)
    assert len(kernels) == 2 * len(right)
    assert (kernels["status"] == "ok").all()
    assert set(kernels["mode"]) == {cases.FORWARD, cases.BACKWARD}


def test_the_emulator_has_no_times(run):
    _, lines, rows = run("3x41x5 float32")
    columns = ["seconds", "seconds_q20", "seconds_q80", "gb_per_s"]
    columns += ["limit_seconds", "share_of_limit"]
    assert rows[columns].isna().all(axis=None)
    assert (rows["bytes"] > 0).sum() == len(rows) - 1  # all but "nothing"
    assert not [line for line in lines if re.search(r" us|GB/s|% of", line)]
    assert lines[4:6] == [
        "3x41x5 float32 mean+max+l2 right",
        f"  forward  {4 * (3 * 41 * 5 + 3 * 15)} bytes",
    ]


def test_a_share_is_of_a_limit_that_moves_as_many_bytes(timed):
    status, lines, rows = timed("3x41x5 float32")
    assert status == 0, lines
    kernels, limits = of_kernels(rows), rows[rows["engine"] == "machine"]
    assert (limits["status"] == "limit").all()
    assert list(limits["provider"][:3]) == ["nothing", "read", "copy"]
    limits = limits[3:]
    # Once for each size, though masks and layouts share some.
    sizes = list(zip(limits["provider"], limits["bytes"], strict=True))
    assert len(sizes) == len(set(sizes)) < len(kernels)
    names = {cases.FORWARD: "read", cases.BACKWARD: "copy"}
    for _, row in kernels.iterrows():
        limit = limits[limits["provider"] == names[row["mode"]]]
        limit = limit[limit["bytes"].between(row["bytes"], row["bytes"] + 15)].iloc[0]
        assert row["limit"] == f"{limit['provider']} of {limit['bytes']:.0f} bytes"
        assert row["limit_seconds"] == limit["seconds"] > 0
        share = row["limit_seconds"] / row["seconds"]
        assert row["share_of_limit"] == pytest.approx(share, rel=1e-5)
        assert any(line.endswith(f" of a {row['limit']}") for line in lines)


def test_limits_move_what_they_say(run, emulated_cuda):
    """A read by the emulator's counts; a copy takes half of it there."""
    stopwatch = cuda_kernels.Stopwatch(emulated_cuda, 1 << 16)
    for moved in (16, 4096 + 48, 1 << 16):
        emulated_cuda.reset_counts()
        emulated_cuda.check(stopwatch.read(moved))
        [launch] = emulated_cuda.counts()
        loaded = [a["distinct_bytes_loaded"] for a in launch["allocations"]]
        assert sum(loaded) == moved
    source, target = stopwatch._source.fetch(), stopwatch._target.fetch()
    target[:] = 0
    stopwatch._target.send()
    stopwatch.copy(1 << 16)
    stopwatch._target.fetch()
    np.testing.assert_array_equal(target[: 1 << 15], source[: 1 << 15])
    assert not target[1 << 15 :].any()


@pytest.mark.parametrize("is_tiny", [True, False])
def test_every_configuration_has_room_in_what_is_read(is_tiny):
    room = cuda_kernels._TINY if is_tiny else cuda_kernels._LARGE
    for configuration in cuda_kernels.configurations(is_tiny):
        case = dataclasses.replace(configuration.case, masked=0.0)
        statistics = len(configuration.statistics)
        mask = case.batch * case.time
        assert case.moved_bytes(cases.FORWARD, statistics) + mask <= room
        assert case.moved_bytes(cases.BACKWARD, statistics) + mask <= 2 * room


def test_shares_of_different_limits_are_not_drawn_together(timed, tmp_path):
    """The H100's are of the rate of 512 MiB, and are drawn as that."""
    timed("3x41x5 float32")
    old, new = tmp_path / "old.csv", tmp_path / results.CSV_NAME
    shutil.copy(STORED / "nvidia-h100" / results.CSV_NAME, old)
    for path in (old, new):
        assert cuda_picture.draw([path]).stat().st_size > 10_000
    with pytest.raises(ValueError, match="shares of the same limit, got"):
        cuda_picture.draw([old, new])


def test_a_filter_keeps_what_contains_it(run):
    status, lines, _ = run("3x41x5 float64 channels_first")
    assert status == 0, lines
    assert lines[-1] == "2 configurations right, 0 wrong"


def test_a_filter_that_keeps_nothing_fails(run):
    status, lines, _ = run("no such thing")
    assert status == 1
    assert lines[-1] == "0 configurations right, 0 wrong"


@pytest.mark.parametrize("method", ["forward", "gradient"])
def test_wrong_results_are_found_and_not_timed(timed, monkeypatch, method):
    """A single value, a few units of rounding off."""
    right = getattr(cuda_launchers.Pooling, method)

    def wrong(self, *arguments):
        result = right(self, *arguments)
        result.flat[0] += np.float32(2**-10)
        return result

    monkeypatch.setattr(cuda_launchers.Pooling, method, wrong)
    status, lines, rows = timed("2x40x128 float32")
    assert status == 1
    assert lines[-1] == "0 configurations right, 6 wrong"
    rows = of_kernels(rows)
    assert set(rows["status"]) <= {"wrong", "imprecise"}
    assert rows["seconds"].isna().all()
