"""How fast the machine itself is, measured next to what is compared with it.

The limits are contenders like the others: they take their turn in every round, on as
many bytes as the case has. A share of the limit is a quotient of two times from the
same seconds of the same process.
"""

import functools

import numpy as np

from benchmarks import cases
from benchmarks.engines import create_engine
from benchmarks.engines.dispatch import in_loop
from benchmarks.environment import last_level_cache_bytes
from benchmarks.measure import Runner

READ = "streaming read"
COPY = "streaming copy"
EMPTY = "empty call"


def limit_runners(
    cell: cases.Cell, arrays: cases.Inputs, device: str
) -> dict[str, Runner]:
    """Makes the contenders that stand for the machine.

    Streaming read and copy where input and gradient exceed the caches, so that memory
    is the limit. In a loop, an empty call: what the loop itself costs.
    """
    if in_loop(cell):
        engine = create_engine("tensorflow", device)
        return {EMPTY: engine.empty_runner(cell, engine.place(arrays))}
    in_cache = 2 * cell.case.input_bytes < last_level_cache_bytes()
    if in_cache or cell.dispatch not in ("graph", "core"):
        return {}
    kept = cell.case.read_bytes
    if device == "gpu":
        return _gpu_runners(arrays.x, kept)
    return _cpu_runners(arrays.x, kept)


def limit_seconds(mode: str, medians: dict[str, float]) -> float | None:
    """The least time that a call can take by the medians of the limits.

    Forward reads x. Backward reads it and writes as much, which a copy does. Both after
    each other take the sum.
    """
    if READ not in medians or COPY not in medians:
        return None
    return {
        cases.FORWARD: medians[READ],
        cases.BACKWARD: medians[COPY],
        cases.FORWARD_BACKWARD: medians[READ] + medians[COPY],
    }[mode]


def _cpu_runners(x: np.ndarray, kept: int) -> dict[str, Runner]:
    from statpool import numpy as core

    source = x.reshape(-1).view(np.uint8)
    target = np.zeros_like(source)  # Touched, so that no page is missing later.
    read = functools.partial(core.streaming_read, source[:kept])
    copy = functools.partial(core.streaming_copy, target, source)
    return {READ: Runner(_repeat(read)), COPY: Runner(_repeat(copy))}


def _gpu_runners(x: np.ndarray, kept: int) -> dict[str, Runner]:
    """TensorFlow's own sum of everything and its negation, one pass each."""
    import tensorflow as tf

    wait = tf.test.experimental.sync_devices
    with tf.device("/GPU:0"):
        source = tf.constant(x.reshape(-1))
        part = tf.identity(source[: kept // x.itemsize])
    read = tf.function(tf.reduce_sum)
    copy = tf.function(tf.negative)
    return {
        READ: Runner(_repeat(functools.partial(read, part), wait)),
        COPY: Runner(_repeat(functools.partial(copy, source), wait)),
    }


def _repeat(call, wait=None):
    def run(calls):
        for _ in range(calls):
            call()
        if wait:
            wait()

    return run
