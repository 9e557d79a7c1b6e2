"""The GPU's OpKernels under the emulator: what only they can get wrong.

The contract suite runs on them too, as ops-emulated.
"""

import json

import numpy as np
import pytest
import tensorflow as tf

import statpool
from tests.support import emulated_ops
from tests.support.native_build import UnavailableError

X = np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)


@pytest.fixture(autouse=True)
def emulator():
    try:
        emulated_ops.ops()
    except UnavailableError as error:
        pytest.skip(str(error))
    return emulated_ops.runtime()


def native(x=X, **arguments):
    return statpool.global_stats(x, implementation="native", **arguments)


def pool(*x, **arguments):
    with emulated_ops.in_place_of_the_native_op():
        return native(*x, **arguments).numpy()


def gradient(x=X, **arguments):
    x = tf.constant(x)
    with emulated_ops.in_place_of_the_native_op(), tf.GradientTape() as tape:
        tape.watch(x)
        y = native(x, **arguments)
        return tape.gradient(y, x).numpy()


def test_workspace_is_as_large_as_splits_need():
    """One long example: time is split, and partial results lie in the workspace."""
    shape = (1, 120_000, 2)
    plan = statpool.launch_plan(shape)
    assert plan["forward"]["splits"] > 1
    assert plan["join"] is not None
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    y = pool(x, statistics=("max", "mean"))
    expected = statpool.reference.global_stats(x, statistics=("max", "mean"))
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("batch", [1, 480, 481, 1201])
def test_lengths_reach_the_kernels_for_any_batch(batch):
    """They travel as arguments of kernels, as many launches as it takes."""
    random = np.random.default_rng(2)
    x = random.normal(size=(batch, 4, 2)).astype(np.float32)
    lengths = random.integers(0, 4, size=batch, endpoint=True)
    y = pool(x, lengths=lengths)
    expected = statpool.reference.global_stats(x, lengths=lengths)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)
    dx = gradient(x, lengths=lengths)
    assert not dx[np.arange(4) >= lengths[:, np.newaxis]].any()


def test_failing_kernel_is_an_internal_error_that_says_what_failed(emulator):
    """Without leave to touch TensorFlow's memory every access is out of bounds."""
    x = tf.constant(X)
    with emulated_ops.in_place_of_the_native_op(), tf.GradientTape() as tape:
        tape.watch(x)
        y = native(x)
    calls = {"LaunchGlobalStats": native}
    calls["LaunchGlobalStatsGradient"] = lambda: tape.gradient(y, x)
    for name, call in calls.items():
        with (
            emulated_ops.in_place_of_the_native_op(PTXSIM_HOST_MEMORY="0"),
            pytest.raises(tf.errors.InternalError) as raised,
        ):
            call()
        emulator.ptxsim_clear_fault()
        for word in ("cudaErrorLaunchFailure", name, "[2,9,5]", "doctor"):
            assert word in str(raised.value)
    assert np.isfinite(gradient()).all()  # and the next call is served


def launches_of(emulator, call):
    """The launches of a call, which the emulator counts."""
    emulator.ptxsim_reset_stats()
    try:
        call()
    finally:
        launches = json.loads(emulator.ptxsim_stats_json())["launches"]
        emulator.ptxsim_set_stats(0)
    return launches


@pytest.mark.parametrize("length", [-1, 10, 2**62])
def test_bad_lengths_never_reach_a_kernel(emulator, length):
    def refused():
        with pytest.raises(tf.errors.InvalidArgumentError, match="must lie in"):
            pool(lengths=np.array([1, length]))

    assert launches_of(emulator, refused) == []


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 3, 0)])
def test_empty_output_launches_nothing(emulator, shape):
    assert launches_of(emulator, lambda: pool(np.zeros(shape, np.float32))) == []


def test_the_kernels_of_the_gpu_are_what_runs(emulator):
    names = [launch["name"] for launch in launches_of(emulator, gradient)]
    assert ["Forward" in name for name in names] == [True, False]
    assert ["Gradient" in name for name in names] == [False, True]
