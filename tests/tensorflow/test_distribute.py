"""Training under tf.distribute: the weights are those of a single replica."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from audio_classifier.workers import free_addresses

from tests.programs import distributed_training
from tests.support.source_tree import ROOT

PROGRAM = ("-m", "tests.programs.distributed_training")
# Sums over examples in another order; in bfloat16 each replica rounds its own share of
# a gradient to 8 bits.
BOUND = {"even": 1e-6, "uneven": 1e-6, "jit": 1e-6, "mixed": 2e-2}


def cluster_of(**counts):
    """Addresses on this machine for the tasks of each job."""
    addresses = iter(free_addresses(sum(counts.values())))
    return {job: [next(addresses) for _ in range(n)] for job, n in counts.items()}


def start(part, folder, cluster=None, job="worker", index=0):
    """Starts the program as one member of a cluster, or alone."""
    task = {"cluster": cluster, "task": {"type": job, "index": index}}
    log = Path(folder) / f"log-{part}-{job}-{index}"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, *PROGRAM, part, folder],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **({"TF_CONFIG": json.dumps(task)} if cluster else {})},
        )
    process.log = log
    return process


def finish(*processes):
    try:
        for process in processes:
            assert process.wait(timeout=300) == 0, process.log.read_text()[-3000:]
    finally:
        for process in processes:
            process.kill()


def run_workers(folder, count):
    cluster = cluster_of(worker=count)
    processes = [start("workers", folder, cluster, index=i) for i in range(count)]
    finish(*processes)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    finish(start("single", folder))
    return folder


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrored")
    finish(start("mirrored", folder))
    return folder


@pytest.fixture(scope="module", params=[2, 3])
def workers(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"workers-{request.param}")
    run_workers(folder, request.param)
    return folder


def weights(path):
    with np.load(path) as held:
        return [held[name] for name in held.files]


def distance(found, expected):
    """The largest difference, as a share of the largest weight of its tensor."""
    return max(
        np.abs(a - b).max() / np.abs(b).max()
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("case", ["even", "uneven", "mixed"])
def test_mirrored(case, mirrored, single):
    expected = weights(single / f"{case}-single.npz")
    assert distance(weights(mirrored / f"{case}-mirrored.npz"), expected) < BOUND[case]


def test_the_op_runs_on_every_device(mirrored):
    devices = json.loads((mirrored / "report-mirrored.json").read_text())
    for case, found in devices.items():
        assert sorted(device[-5:] for device in found) == ["CPU:0", "CPU:1"], case


def test_fit_when_mirrored(mirrored, single):
    """Batches that replicas share evenly; of others Keras weighs each replica alike."""
    expected = weights(single / "even-single.npz")
    assert distance(weights(mirrored / "even-fit-native.npz"), expected) < BOUND["even"]
    composite = weights(mirrored / "uneven-fit-composite.npz")
    native = weights(mirrored / "uneven-fit-native.npz")
    assert distance(native, composite) < BOUND["uneven"]


@pytest.mark.parametrize("case", distributed_training.CASES)
def test_workers(case, workers, single):
    expected = weights(single / f"{case}-single.npz")
    first, *others = (weights(f) for f in sorted(workers.glob(f"{case}-worker-*.npz")))
    assert distance(first, expected) < BOUND[case]
    for other in others:
        np.testing.assert_equal(other, first)


def test_the_op_runs_in_every_worker(workers):
    reports = list(workers.glob("report-worker-*.json"))
    assert len(reports) >= 2
    for report in reports:
        found = json.loads(report.read_text())
        assert {case: len(calls) for case, calls in found.items()} == dict.fromkeys(
            distributed_training.CASES, 1
        )


def test_parameter_servers(tmp_path):
    """Keras 3 doesn't know them: weights of TensorFlow's, steps that run on workers."""
    cluster = cluster_of(chief=1, ps=1, worker=2)
    servers = [start("servers", tmp_path, cluster, "ps")]
    servers += [start("servers", tmp_path, cluster, "worker", i) for i in range(2)]
    try:
        finish(start("servers", tmp_path, cluster, "chief"))
    finally:
        for server in servers:
            server.kill()
    (kernel,) = weights(tmp_path / "servers.npz")
    np.testing.assert_allclose(
        kernel, distributed_training.without_servers(), rtol=1e-6
    )
    assert len(json.loads((tmp_path / "report-servers.json").read_text())) == 1


def test_keras_distribution(tmp_path):
    finish(start("keras", tmp_path))


def test_dtensor(tmp_path):
    finish(start("dtensor", tmp_path))
