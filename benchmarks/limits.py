"""How fast the machine itself is, measured next to what is compared with it.

The limits are contenders like the others: they take their turn in every round, and move
as many bytes as a call has to. A share of the limit is a quotient of two times from the
same seconds of the same process. On a CPU each is the fastest of several loops: every
instruction set, one place of the memory or four in turn, every byte or one vector of
each line of the cache. A limit that somebody beats is none, and fails the run.
"""

import functools

import numpy as np

from benchmarks import cases
from benchmarks.engines import create_engine
from benchmarks.engines.dispatch import in_loop
from benchmarks.environment import last_level_cache_bytes
from benchmarks.measure import Runner, Samples, take_rounds

READ = "streaming read"
COPY = "streaming copy"
EMPTY = "empty call"
_PASSES = {READ: cases.FORWARD, COPY: cases.BACKWARD}

BEATEN = 1.05  # The share of a limit that shows that it is none, noise allowed for.
_LINE = 64  # bytes
_TRIAL_SECONDS = 1.0  # to find the fastest loop


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
    read, copied = (limit_bytes(name, cell.case, device) for name in (READ, COPY))
    runners = _gpu_runners if device == "gpu" else _cpu_runners
    return runners(arrays.x, read, copied)


def limit_bytes(name: str, case: cases.Case, device: str) -> int | None:
    """What a limit moves: as much as the pass that it stands for has to.

    On a CPU of x and its gradient alone, since the loops go through x itself.
    """
    if name not in _PASSES:
        return None
    if device == "gpu":
        return case.moved_bytes(_PASSES[name])
    return case.read_bytes + (case.input_bytes if name == COPY else 0)


def limit_of(mode: str, medians: dict[str, float]) -> tuple[str, float | None]:
    """The limit and the least time of a call, by the medians of the limits.

    Forward reads x. Backward reads it and writes as much, which a copy does. Both after
    each other take the sum.
    """
    if READ not in medians or COPY not in medians:
        return "", None
    names = {
        cases.FORWARD: (READ,),
        cases.BACKWARD: (COPY,),
        cases.FORWARD_BACKWARD: (READ, COPY),
    }[mode]
    return " + ".join(names), sum(medians[name] for name in names)


def _cpu_runners(x: np.ndarray, read: int, copied: int) -> dict[str, Runner]:
    from statpool import numpy as core

    x = x.reshape(-1).view(np.uint8)
    source, target = x[: copied // 2], _aligned(copied // 2)
    read = functools.partial(core.streaming_read, x[:read])
    copy = functools.partial(core.streaming_copy, target, source)
    return {
        READ: _fastest(read, core.streaming_forms()),
        COPY: _fastest(copy, core.streaming_forms(copies=True)),
    }


def _aligned(size: int) -> np.ndarray:
    """Bytes of whole lines, all touched, so that no page is missing later."""
    whole = np.ones(size + _LINE, np.uint8)
    first = -whole.ctypes.data % _LINE
    return whole[first : first + size]


def _fastest(call, forms) -> Runner:
    """Of loops that do the same, the one that this machine runs fastest now."""
    trials = {
        form: Samples(Runner(_repeat(functools.partial(call, form))), 1)
        for form in forms
    }
    take_rounds(list(trials.values()), _TRIAL_SECONDS)
    return min(trials.values(), key=lambda samples: np.median(samples.seconds)).runner


def _gpu_runners(x: np.ndarray, read: int, copied: int) -> dict[str, Runner]:
    """TensorFlow's own sum of everything and its negation, one pass each."""
    import tensorflow as tf

    wait = tf.test.experimental.sync_devices
    sizes = read // x.itemsize, copied // 2 // x.itemsize
    with tf.device("/GPU:0"):
        to_read, to_copy = (tf.constant(np.resize(x, size)) for size in sizes)
    calls = (tf.function(tf.reduce_sum), to_read), (tf.function(tf.negative), to_copy)
    return {
        name: Runner(_repeat(functools.partial(*call), wait))
        for name, call in zip((READ, COPY), calls, strict=True)
    }


def _repeat(call, wait=None):
    def run(calls):
        for _ in range(calls):
            call()
        if wait:
            wait()

    return run
