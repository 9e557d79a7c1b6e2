"""What a call has to move, and the limits of the machine that do as much."""

import dataclasses
import time

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import cases, limits
from statpool import numpy as core


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
        (cases.TRAIN_AUDIO, cases.Case(2, 10, 4), 0),
    ],
)
def test_byte_counts(mode, case, expected):
    assert case.moved_bytes(mode) == expected


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", cases.DTYPES)
def test_a_mask_saves_the_sectors_in_which_no_step_counts(dtype, layout):
    """Sectors of 32 bytes, which hold parts of steps, several, or of two series."""
    for shape in [(3, 40, 5), (2, 37, 3), (1, 64, 16), (2, 1, 1)]:
        case = cases.Case(*shape, dtype, layout, masked=0.6)
        batch, time, channels = shape
        item_bytes, sectors = cases.numpy_dtype(dtype).itemsize, {}
        for index in np.ndindex(batch, channels, time):
            b, c, t = index
            place = [b, c, t] if layout == "channels_first" else [b, t, c]
            at = int(np.ravel_multi_index(place, case.shape)) * item_bytes
            counts = sectors.setdefault(at // cases.SECTOR, [])
            counts.append(case.mask()[b, t])
        size = sum(len(counts) for counts in sectors.values() if any(counts))
        # The last sector of all counts as a whole, as far as there is another byte.
        most = size * item_bytes + cases.SECTOR - item_bytes
        assert size * item_bytes <= case.read_bytes <= min(most, case.input_bytes)
        assert case.moved_bytes(cases.BACKWARD) == (
            case.moved_bytes(cases.FORWARD) + case.input_bytes
        )


@pytest.mark.parametrize("dtype", cases.DTYPES)
def test_a_random_mask_saves_next_to_nothing_of_channels_first(dtype):
    """A sector is left out only if all of its steps are."""
    case = cases.Case(128, 2000, 2, dtype, "channels_first", masked=0.25)
    steps = cases.SECTOR // cases.numpy_dtype(dtype).itemsize
    saved = 1 - case.read_bytes / case.input_bytes
    assert saved == pytest.approx(0.25**steps, rel=0.1, abs=1e-4)
    last = dataclasses.replace(case, layout="channels_last", channels=16)
    assert last.read_bytes == 0.75 * last.input_bytes


def test_limits_add_up():
    medians = {limits.READ: 1.0, limits.COPY: 3.0}
    assert limits.limit_of(cases.FORWARD, medians) == (limits.READ, 1.0)
    assert limits.limit_of(cases.BACKWARD, medians) == (limits.COPY, 3.0)
    both = f"{limits.READ} + {limits.COPY}"
    assert limits.limit_of(cases.FORWARD_BACKWARD, medians) == (both, 4.0)
    assert limits.limit_of(cases.FORWARD, {}) == ("", None)


@pytest.mark.parametrize("masked", [0.0, 0.3])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_limits_move_as_many_bytes_as_the_calls(monkeypatch, device, masked):
    """On a GPU to the last number; on a CPU x and its gradient, without the results."""
    case = cases.Case(16, 300, 64, masked=masked)
    # Without a GPU, its limits are tried on the CPU.
    on_cpu = tf.device("/CPU:0")
    monkeypatch.setattr(tf, "device", lambda _: on_cpu)
    monkeypatch.setattr(tf.test.experimental, "sync_devices", lambda: None)
    monkeypatch.setattr(limits, "last_level_cache_bytes", lambda: 0)
    monkeypatch.setattr(limits, "in_loop", lambda _: False)
    monkeypatch.setattr(limits, "_TRIAL_SECONDS", 0.0)
    moved = {limits.READ: [], limits.COPY: []}

    def seen(name, call):
        def watched(*arguments, **options):
            source = arguments[-2] if device == "cpu" else arguments[0]  # then a form
            moved[name].append(np.asarray(source).nbytes)
            return call(*arguments, **options)

        return watched

    for module, names in (
        (core, ("streaming_read", "streaming_copy")),
        (tf, ("reduce_sum", "negative")),
    ):
        for limit, name in zip(moved, names, strict=True):
            monkeypatch.setattr(module, name, seen(limit, getattr(module, name)))
    monkeypatch.setattr(tf, "function", lambda call: call)
    cell = cases.Cell(cases.FORWARD_BACKWARD, "graph", case)
    for runner in limits.limit_runners(cell, cases.make_inputs(case), device).values():
        runner.run(1)
    outputs = case.moved_bytes(cases.FORWARD) - case.read_bytes
    left_out = outputs if device == "cpu" else 0
    for name, mode, times in (
        (limits.READ, cases.FORWARD, 1),
        (limits.COPY, cases.BACKWARD, 2),
    ):
        wanted = case.moved_bytes(mode) - left_out
        assert limits.limit_bytes(name, case, device) == wanted
        assert set(moved[name]) == {wanted // times}
    assert limits.limit_bytes(limits.EMPTY, case, device) is None


def test_streaming_loops_read_and_copy_everything():
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (3 << 20) + 77, np.uint8)
    for form in core.streaming_forms():
        changed = source.copy()
        before = core.streaming_read(changed, form)
        for place in (0, 1 << 20, source.size - 64, source.size - 1):
            changed[place - place % 64] += 1
            after = core.streaming_read(changed, form)
            assert after != before, (form, place)
            before = after
    for form in core.streaming_forms(copies=True):
        target = limits._aligned(source.size)
        core.streaming_copy(target, source, form)
        np.testing.assert_array_equal(target, source)


@pytest.mark.parametrize("call", ["read", "copy"])
def test_an_unknown_streaming_loop(call):
    array = limits._aligned(256)
    arguments = (array,) if call == "read" else (array, array)
    with pytest.raises(ValueError, match="form must be one of"):
        getattr(core, f"streaming_{call}")(*arguments, form="fast")


def test_the_fastest_loop_is_the_limit():
    calls = []

    def call(form):
        calls.append(form)
        time.sleep({"slow": 2e-3, "fast": 1e-4}[form])

    runner = limits._fastest(call, ["slow", "fast"])
    calls.clear()
    runner.run(3)
    assert calls == ["fast"] * 3
