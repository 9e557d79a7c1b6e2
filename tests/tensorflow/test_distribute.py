"""Training under tf.distribute: the weights are those of a single replica."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.programs.distributed_training import CASES
from tests.support.source_tree import ROOT

# Sums have another order; in bfloat16 each replica rounds its share of a gradient.
BOUND = {"plain": 1e-6, "jit": 1e-6, "mixed": 2e-2}


def start(part, folder, **environment):
    command = sys.executable, "-m", "tests.programs.distributed_training", part, folder
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The weights of one replica, two devices and two workers."""
    folder = tmp_path_factory.mktemp("weights")
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{s.getsockname()[1]}" for s in servers]}
    for server in servers:
        server.close()
    processes = [start("single", folder), start("mirrored", folder)]
    for task in ({"type": "worker", "index": index} for index in range(2)):
        config = json.dumps({"cluster": cluster, "task": task})
        processes.append(start("worker", folder, TF_CONFIG=config))
    try:
        assert [process.wait(timeout=300) for process in processes] == [0] * 4
    finally:
        for process in processes:
            process.kill()
    return folder


def weights(folder, case, part):
    with np.load(folder / f"{case}-{part}.npz") as held:
        return [held[name] for name in held.files]


@pytest.mark.parametrize(
    ("part", "case"),
    [("worker-0", case) for case in CASES] + [("mirrored", c) for c in CASES][:2],
)
def test_weights_are_those_of_one_replica(part, case, folder):
    expected = weights(folder, case, "single")
    for a, b in zip(weights(folder, case, part), expected, strict=True):
        assert np.abs(a - b).max() <= BOUND[case] * np.abs(b).max()


@pytest.mark.parametrize("case", CASES)
def test_workers_agree_bit_for_bit(case, folder):
    first, other = (weights(folder, case, f"worker-{index}") for index in range(2))
    np.testing.assert_equal(first, other)
