"""Training on several workers goes on after the death of one, which is named."""

import os
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import keras
import numpy as np
import train_on_workers


def start(folder):
    """Starts two workers that write to output/ in the folder."""
    folder.mkdir(exist_ok=True)
    command = sys.executable, "-u", train_on_workers.__file__, "--epochs", "5"
    return Popen(command, cwd=folder, stdout=PIPE, stderr=STDOUT, text=True)


def finish(process):
    printed, _ = process.communicate(timeout=300)
    return process.returncode, printed


def weights(folder):
    (model,) = (folder / "output").rglob("*.*")  # so it writes over no other models
    assert model == folder / "output" / "workers" / "model.keras"
    return keras.models.load_model(model).get_weights()


def test_training_goes_on_after_a_worker_has_died(tmp_path):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    code, expected = finish(start(undisturbed))
    assert code == 0, expected

    process = start(killed)
    while not list(killed.glob("output/workers/checkpoints/*-2.index")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    os.kill(int(children.split()[1]), signal.SIGKILL)
    code, printed = finish(process)
    assert code == 1
    assert "Worker 1 was killed by signal 9" in printed  # says the launcher
    assert "Worker 1 cannot be reached any more" in printed  # says the other one

    code, printed = finish(start(killed))
    assert code == 0, printed
    assert "epoch 1:" not in printed
    assert expected.splitlines()[-1] == printed.splitlines()[-1]
    np.testing.assert_equal(weights(killed), weights(undisturbed))


def test_each_way_to_name_a_lost_worker():
    """In the words of TensorFlow 2.21; the line may go on after the number."""
    here = "{{function_node x_device_/job:worker/replica:0/task:0/device:CPU:0}}"
    for message in (
        "unhealthy:\n/job:worker/replica:0/task:2\nThe tasks have crashed.",
        "Error reported from /job:worker/task:2: stopped sending heartbeats",
        "remote target /job:worker/replica:0/task:2 while calling RecvBuf:\n:UNKNOWN",
    ):
        assert train_on_workers.lost_workers(f"{here} {message}", 0) == ["2"]
    assert train_on_workers.lost_workers(here, 0) == []
