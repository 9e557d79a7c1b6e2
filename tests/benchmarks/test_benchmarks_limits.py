"""What a call has to move, and the limits of the machine that do as much."""

import time

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import cases, grid, limits
from benchmarks.engines import tensorflow_engine


@pytest.mark.parametrize(
    ("mode", "case", "expected"),
    [
        (cases.FORWARD, cases.Case(2, 10, 4), 4 * (80 + 24)),
        (cases.BACKWARD, cases.Case(2, 10, 4), 4 * (80 + 24 + 80)),
        (cases.FORWARD_BACKWARD, cases.Case(2, 10, 4), 4 * (2 * (80 + 24) + 80)),
        (cases.FORWARD, cases.Case(2, 10, 4, "float64"), 8 * (80 + 24)),
        (cases.FORWARD, cases.Case(2, 10, 4, "bfloat16"), 2 * (80 + 24)),
        (cases.FORWARD, cases.Case(2, 10, 8, masked=0.3), 4 * (112 + 48) + 20),
        (cases.BACKWARD, cases.Case(2, 10, 8, masked=0.3), 4 * (112 + 48 + 160) + 20),
        (cases.TRAIN, cases.Case(2, 10, 4), 0),
    ],
)
def test_byte_counts(mode, case, expected):
    assert case.moved_bytes(mode) == expected


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", grid.DTYPES)
def test_a_mask_saves_the_sectors_without_a_valid_step(dtype, layout):
    """Sectors of 32 bytes, which hold parts of steps, several, or of two channels."""
    for shape in [(3, 40, 5), (2, 37, 3), (1, 64, 16), (2, 1, 1)]:
        case = cases.Case(*shape, dtype, layout, masked=0.6)
        item_bytes, sectors = cases.numpy_dtype(dtype).itemsize, {}
        for place in np.ndindex(case.shape):
            at = int(np.ravel_multi_index(place, case.shape)) * item_bytes
            valid = case.mask()[place[0], place[case.time_axis]]
            sectors.setdefault(at // cases.SECTOR, []).append(valid)
        size = sum(len(valid) for valid in sectors.values() if any(valid))
        # The last sector of all counts as a whole, as far as there is another byte.
        most = size * item_bytes + cases.SECTOR - item_bytes
        assert size * item_bytes <= case.read_bytes <= min(most, case.input_bytes)


def test_limits_of_a_cpu_move_x_and_its_gradient(monkeypatch):
    """The results are left out, since the loops use x itself; the fastest is taken."""
    sizes, trials = [], []

    def loops(*arrays):
        sizes.append(arrays[-1].nbytes)
        return [lambda: time.sleep(2e-2), lambda: None]

    monkeypatch.setattr(limits, "reads", loops)
    monkeypatch.setattr(limits, "copies", loops)
    rounds = limits.take_rounds
    monkeypatch.setattr(
        limits, "take_rounds", lambda *a: trials.append(a) or rounds(*a)
    )
    memory = limits.MemoryLimits()
    case = cases.Case(16, 300, 64, masked=0.3)
    for _ in range(2):
        read, copy = memory.limits(case, cases.make_inputs(case).x)
        assert read.bytes == case.read_bytes < case.input_bytes
        assert copy.bytes == case.read_bytes + case.input_bytes
        assert max(read.runner.seconds(1), copy.runner.seconds(1)) < 1e-2
    assert sizes == [read.bytes, copy.bytes // 2] * 2
    assert len(trials) == 2  # one per size


def test_limits_of_a_gpu_move_as_many_bytes_as_the_calls(monkeypatch):
    """Without a GPU, they are tried on the CPU."""
    case, sizes = cases.Case(16, 300, 64, masked=0.3), []
    engine = tensorflow_engine.TensorFlowEngine("cpu")
    monkeypatch.setattr(engine, "_on_gpu", True)
    monkeypatch.setattr(cases.Cell, "in_loop", False)
    monkeypatch.setattr(limits, "is_memory_bound", lambda _: True)
    monkeypatch.setattr(
        tf, "function", lambda call: lambda x: sizes.append(x) or call(x)
    )
    cell = cases.Cell(cases.FORWARD_BACKWARD, "graph", case)
    for limit in engine.limits(cell, cases.make_inputs(case)):
        limit.runner.run(1)
        mode = cases.FORWARD if limit.name == limits.READ else cases.BACKWARD
        passes = 1 if limit.name == limits.READ else 2
        assert limit.bytes == case.moved_bytes(mode)
        assert sizes[-1].shape.num_elements() * 4 * passes == limit.bytes


def test_memory_loops_read_and_copy_everything():
    source = np.random.default_rng(0).integers(0, 256, (3 << 20) + 77, np.uint8)
    changed = source.copy()
    for read in limits.reads(changed):
        before = read()
        for place in (0, 1 << 20, source.size - 64, source.size - 1):
            changed[place - place % 64] += 1
            after = read()
            assert after != before, (read, place)
            before = after
    target = limits.aligned(source.size)
    for copy in limits.copies(target, source):
        target[:] = 0
        copy()
        np.testing.assert_array_equal(target, source)
    with pytest.raises(ValueError, match="as large as source, and 64-byte aligned"):
        limits.copies(target[1:], source[1:])
