"""The audio classifier on several replicas, and after the death of one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from audio_classifier import archive, cluster
from audio_classifier.errors import UserError

from tests.examples import audio_program

DEADLINE = 180  # seconds for one run


def arguments(output, *more):
    sizes = (*audio_program.SMALL, "--clips", "32", "--epochs", "4")
    return [*sizes, "--pooling", "statpool", "--output", str(output), *map(str, more)]


def start(output, *more):
    return subprocess.Popen(
        [sys.executable, audio_program.PROGRAM, "train", *arguments(output, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )


def finish(process):
    said, _ = process.communicate(timeout=DEADLINE)
    return process.returncode, said


def results(output):
    (result,) = json.loads((output / "results.json").read_text())
    return result["epochs"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "output"
    code, said = finish(start(output, "--strategy", "multi-worker"))
    assert code == 0, said
    return output, said


def test_one_result_of_two_workers(undisturbed):
    output, said = undisturbed
    assert len(results(output)) == 4
    assert said.count("Pooling over time") == 1
    other = (output / "worker-1.log").read_text()
    parts = [
        re.findall(r"(?:Training|Validation): (\d+) clips", s) for s in (said, other)
    ]
    assert sum(int(count) for part in parts for count in part) == 32
    assert not (output / "unfinished").exists()


def children_of(process):
    """The workers by their number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                environment = (folder / "environ").read_text()
            except OSError:  # it has just ended
                continue
            if int(stat[1]) == process.pid:
                task = re.search(r'"index": (\d+)', environment)
                found[int(task[1])] = int(folder.name)
    return found


def test_training_goes_on_after_a_worker_has_died(undisturbed, tmp_path):
    output = tmp_path / "output"
    process = start(output, "--strategy", "multi-worker")
    deadline = time.monotonic() + DEADLINE
    while not list(output.glob("unfinished/*/statpool/history.json")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(children_of(process)[1], signal.SIGKILL)
    code, said = finish(process)
    assert code == 2
    assert "Worker 1 was killed by signal 9" in said
    assert "Worker 1 cannot be reached any more" in said
    assert not (output / "results.json").exists()

    code, said = finish(start(output, "--strategy", "multi-worker"))
    assert code == 0, said
    assert results(output) == results(undisturbed[0])
    one, other = (
        archive.load(folder / "statpool.keras").network.get_weights()
        for folder in (output, undisturbed[0])
    )
    np.testing.assert_equal(one, other)


def test_no_worker_reads_the_clips_of_another(tmp_path):
    data, output = tmp_path / "data", tmp_path / "output"
    audio_program.write_tones(data)
    (data / "high" / "0.wav").write_bytes(b"broken")
    code, said = finish(start(output, "--strategy", "multi-worker", "--data", data))
    assert code == 0, said
    logs = [said, (output / "worker-1.log").read_text()]
    assert sum("Skipped 1 of 6 files" in log for log in logs) == 1


def test_mirrored(tmp_path):
    output = tmp_path / "output"
    code, said = finish(start(output, "--strategy", "mirrored"))
    assert code == 0, said
    assert len(results(output)) == 4


def test_a_batch_that_workers_cannot_share(tmp_path):
    more = "--strategy", "multi-worker", "--replicas", 3
    code, said = finish(start(tmp_path / "output", *more))
    assert code == 2
    assert "--batch-size must be a multiple of the 3 workers" in said


def test_shares_are_all_of_it():
    members = [cluster.Cluster(None, index, 3) for index in range(3)]
    shares = [clip for member in members for clip in member.share(list(range(10)))]
    assert sorted(shares) == list(range(10))


def test_other_errors_stay_what_they_are():
    import tensorflow as tf

    with pytest.raises(tf.errors.InternalError), cluster.naming_lost_workers():
        raise tf.errors.InternalError(None, None, "something else")
    message = "unhealthy:\n/job:worker/replica:0/task:2\nThe tasks have crashed."
    with pytest.raises(UserError, match="Worker 2 "), cluster.naming_lost_workers():
        raise tf.errors.UnavailableError(None, None, message)
