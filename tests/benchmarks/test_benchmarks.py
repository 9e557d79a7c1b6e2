"""The benchmark suite: what it counts, checks and times."""

import re
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorflow as tf

from tests.support import fresh_process, profiler

ROOT = Path(__file__).parents[2]

from benchmarks import (  # noqa: E402
    cases,
    correctness,
    environment,
    limits,
    measure,
    memory,
    report,
    results,
    session,
    training,
)
from benchmarks.engines import create_engine, tensorflow_engine, tensorflow_loops  # noqa: E402
from benchmarks.providers import Provider, select_providers  # noqa: E402

PROVIDERS = {provider.name: provider for provider in select_providers(True)}
CELL = cases.Cell(cases.FORWARD_BACKWARD, "graph", cases.Case(2, 8, 3))


def run_session(folder, providers, cells=(CELL,), **options):
    """Runs a session on a tiny budget; returns its rows and what it said."""
    said = []
    writer = results.Writer(folder, environment.describe_environment("cpu"))
    options = {"budget": 0.01, "say": said.append, **options}
    measuring = session.Session(providers, writer, "cpu", **options)
    for cell in cells:
        measuring.run_cell(cell)
    rows = results.load(writer.csv)
    return rows[rows["engine"] != "machine"].reset_index(), said


def judged(pool, mode=cases.FORWARD_BACKWARD, case=CELL.case):
    """The verdict on a pooling function."""
    engine, arrays = create_engine("tensorflow", "cpu"), cases.make_inputs(case)
    cell, provider = cases.Cell(mode, "graph", case), Provider("candidate", pool)
    placed = engine.place(arrays)
    return correctness.Checker().check(engine, provider, cell, arrays, placed)


def repaired(x, mask, axis):
    return PROVIDERS["repaired Lambda"].pool(x, mask, axis)


def slightly_off(x, mask, axis):
    """Right but for the norm, off by more than the contract allows."""
    mean, largest, norm = tf.split(repaired(x, mask, axis), 3, axis=-1)
    return tf.concat([mean, largest, norm * (1 + 25 * 2**-24)], axis=-1)


def test_inputs_are_what_the_case_says():
    for layout in ("channels_last", "channels_first"):
        case = cases.Case(3, 10, 4, "bfloat16", layout, masked=0.3)
        arrays = cases.make_inputs(case)
        assert arrays.x.shape == case.shape
        assert arrays.x.dtype.name == "bfloat16"
        assert (arrays.mask.sum(axis=1) == case.kept_steps).all()
        time_last = np.moveaxis(arrays.x, case.time_axis, 2).astype(float)
        assert (time_last == 0).all(axis=2).sum() == 1  # One silent channel.


def test_the_grid_covers_what_it_promises():
    cells = cases.full_cells()
    assert len(cells) == len(set(cells))
    for shape in [(1, 1, 1), (64, 1500, 512), (7, 333, 33), (1, 10**6, 64)]:
        for dtype in cases.DTYPES:
            for mode in (cases.FORWARD, cases.FORWARD_BACKWARD):
                assert cases.Cell(mode, "graph", cases.Case(*shape, dtype)) in cells
    assert {cell.dispatch for cell in cells} == {"graph", "call", "core", "step"}
    assert {"cold", "warm"} == {cell.case.cache for cell in cells}


@pytest.mark.parametrize("masked", [0.0, 0.3])
@pytest.mark.parametrize("name", ["repaired Lambda", "Keras layers", "tf.nn.moments"])
def test_right_numbers_pass(name, masked):
    for layout in ("channels_last", "channels_first"):
        case = cases.Case(2, 50, 6, layout=layout, masked=masked)
        verdict = judged(PROVIDERS[name].pool, case=case)
        assert verdict.status in (correctness.OK, correctness.IMPRECISE), verdict


@pytest.mark.parametrize(
    ("pool", "status", "reason"),
    [
        (lambda *a: repaired(*a) * 1.01, correctness.WRONG, "instead of"),
        (slightly_off, correctness.IMPRECISE, ""),
        (lambda *a: repaired(*a)[:, :-1], correctness.WRONG, "shape"),
        (PROVIDERS["Lambda"].pool, correctness.WRONG, "gradient is NaN"),
    ],
)
def test_wrong_numbers_are_caught(pool, status, reason):
    mode = cases.FORWARD if reason == "shape" else cases.FORWARD_BACKWARD
    verdict = judged(pool, mode, cases.Case(2, 50, 3))
    assert verdict.status == status
    assert reason in verdict.reason


def test_an_error_in_the_timed_shape_alone_is_caught():
    def pool(x, mask, axis):
        factor = 1.5 if x.shape[axis] == 77 else 1.0
        return repaired(x, mask, axis) * factor

    assert judged(pool, case=cases.Case(2, 77, 3)).status == correctness.WRONG
    assert judged(pool, case=cases.Case(2, 78, 3)).status != correctness.WRONG


def test_wrong_numbers_stay_wrong_in_the_results(tmp_path):
    liar = Provider("liar", lambda *a: repaired(*a) * 1.5)
    rows, _ = run_session(tmp_path, [liar, PROVIDERS["repaired Lambda"]])
    assert list(rows["status"]) == ["wrong", "ok"]
    text = report.write_report(tmp_path / results.CSV_NAME).read_text()
    assert re.search(r"liar .*\| wrong .*instead of", text)


def test_the_graph_loop_runs_every_call():
    case, turns = cases.Case(2, 8, 3), 3
    engine = create_engine("tensorflow", "cpu")
    placed = engine.place(cases.make_inputs(case))
    provider = PROVIDERS["repaired Lambda"]
    for mode, expected in [(cases.FORWARD, {}), (cases.FORWARD_BACKWARD, {"Equal": 1})]:
        operation = tensorflow_engine.make_operation(provider, mode, case)
        runner = tensorflow_loops.graph_runner(operation, mode, placed)
        runner.run(1)
        ran = count_ops(lambda runner=runner: runner.run(turns))
        for op, per_call in {"Max": 1, "Sqrt": 1, **expected}.items():
            assert ran[op] == per_call * turns * tensorflow_loops.UNROLLED, (mode, op)


def count_ops(call):
    """How often each op ran, from the profiler's trace of the executor."""
    counts = {}
    for _, plane in profiler.trace(call):
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                op = name.rpartition(":")[2]
                counts[op] = counts.get(op, 0) + 1
    return counts


def test_xla_keeps_the_call_in_the_loop():
    case = cases.Case(2, 8, 3)
    placed = create_engine("tensorflow", "cpu").place(cases.make_inputs(case))
    operation = tensorflow_engine.make_operation(
        PROVIDERS["repaired Lambda XLA"], cases.FORWARD_BACKWARD, case
    )
    loop = tensorflow_loops.compiled_loop(operation, cases.FORWARD_BACKWARD)
    call = (placed.x, placed.upstream, placed.mask)
    compiled = loop.experimental_get_compiler_ir(tf.constant(3), call)
    text = compiled(stage="optimized_hlo")
    entry = text[text.index("\nENTRY") :]
    assert "while(" in entry
    assert 'op_name="while/Max"' in text
    assert 'op_name="while/Max"' not in entry
    y, dx = loop(tf.constant(3), call)
    wanted = operation(*call)
    np.testing.assert_allclose(y, wanted[0], rtol=1e-6)
    np.testing.assert_allclose(dx, wanted[1], rtol=1e-5, atol=1e-7)


def test_xla_runs_even_the_tiniest_call():
    case, turns = cases.Case(1, 1, 1), 2_000_000
    for mode in (cases.FORWARD, cases.FORWARD_BACKWARD):
        provider = PROVIDERS["repaired Lambda XLA"]
        operation = tensorflow_engine.make_operation(provider, mode, case)
        placed = create_engine("tensorflow", "cpu").place(cases.make_inputs(case))
        runner = tensorflow_loops.compiled_runner(operation, mode, placed)
        runner.run(1)
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            runner.run(turns)
            seconds.append(time.perf_counter() - start)
        # A loop that was optimised away takes no time at all.
        assert min(seconds) / turns > 3e-9


def test_rounds_interleave_and_rotate():
    order = []
    runners = [measure.Runner(lambda _, i=i: order.append(i)) for i in range(3)]
    contenders = [measure.Samples(runner, 1) for runner in runners]
    measure.take_rounds(contenders, budget=0)
    assert order == [0, 1, 2, 1, 2, 0, 2, 0, 1]
    assert all(len(c.seconds) == measure.LEAST_ROUNDS for c in contenders)


def test_samples_are_per_call():
    samples = measure.calibrate(measure.Runner(lambda _: None, batch=4), 1e-4)
    samples.take()
    assert samples.calls == 4 * samples.batches
    assert 0 < samples.seconds[0] < 1e-4


def test_a_dispatch_hardly_counts():
    per_call, dispatch = 1e-5, 1e-3
    runner = measure.Runner(lambda calls: time.sleep(dispatch + calls * per_call))
    samples = measure.calibrate(runner, 1e-4)
    assert samples.calls * per_call > 40 * dispatch


def test_a_limit_that_is_beaten_is_reported(tmp_path, monkeypatch):
    slow = measure.Runner(lambda calls: time.sleep(0.05 * calls))
    runners = {limits.READ: slow, limits.COPY: slow}
    monkeypatch.setattr(limits, "limit_runners", lambda *_: runners)
    writer = results.Writer(tmp_path, environment.describe_environment("cpu"))
    measuring = session.Session([PROVIDERS["statpool"]], writer, "cpu", budget=0.01)
    measuring.run_cell(CELL)
    assert measuring.beaten == [f"{CELL.label} statpool"]
    rows = results.load(writer.csv).set_index("provider")
    assert rows["limit"]["statpool"] == f"{limits.READ} + {limits.COPY}"
    assert not rows["limit"][[limits.READ, limits.COPY]].any()


def fill_64_mib():
    array = np.ones(64 << 20, np.uint8)
    return int(array[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
def test_peak_memory():
    peak = fresh_process.call(memory.peak_extra_bytes, fill_64_mib, "cpu")
    assert peak == pytest.approx(64 << 20, rel=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit works on Linux only")
def test_out_of_memory_is_a_row(tmp_path):
    def greedy(x, mask, axis):
        if x.shape[axis] == 3:  # The tiny input on which a provider is tried first.
            return repaired(x, mask, axis)
        rows = tf.cast(tf.reduce_mean(x) * 0, tf.int64) + 2**40
        return repaired(x, mask, axis) + tf.reduce_sum(tf.random.uniform([rows]))

    providers = [Provider("greedy", greedy), PROVIDERS["repaired Lambda"]]
    with memory.no_more_than_there_is():
        rows, said = run_session(tmp_path, providers)
    assert list(rows["status"]) == ["out of memory", "ok"]
    assert len(said) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the limit works on Linux only")
def test_allocating_more_than_there_is_fails():
    too_much = psutil.virtual_memory().available + (1 << 30)
    with memory.no_more_than_there_is(), pytest.raises(MemoryError):
        np.empty(too_much, np.uint8)


def test_who_cannot_run_gets_one_line(tmp_path):
    def absent(*_):
        import a_package_that_nobody_has  # noqa: F401

    providers = [Provider("absent", absent), PROVIDERS["repaired Lambda"]]
    rows, said = run_session(tmp_path, providers)
    assert list(rows["status"]) == ["left out", "ok"]
    assert len(said) == 1
    assert "a_package_that_nobody_has" in rows["reason"][0]
    assert "| absent" in report.write_report(tmp_path / results.CSV_NAME).read_text()


def test_without_a_gpu_every_provider_is_left_out(tmp_path):
    writer = results.Writer(tmp_path, environment.describe_environment("gpu"))
    said = []
    providers = [PROVIDERS["Lambda"], PROVIDERS["statpool core"]]
    session.Session(providers, writer, "gpu", budget=0.01, say=said.append)
    assert len(said) == 2
    assert set(results.load(writer.csv)["status"]) == {"left out"}


def test_silence_spoils_the_weights_of_the_lambda_model():
    case = cases.Case(4, 20, 6)
    for name, status in [("Lambda", "wrong"), ("statpool composite", "ok")]:
        step = training.TrainingStep(PROVIDERS[name], cases.TRAIN_POOLING, case)
        assert step.verdict().status == status
