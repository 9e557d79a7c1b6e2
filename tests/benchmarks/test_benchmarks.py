"""The benchmark suite: what it checks and times, and what becomes of failures."""

import dataclasses
import re
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import (
    cases,
    correctness,
    environment,
    grid,
    limits,
    measure,
    report,
    results,
    session,
)
from benchmarks.engines import (
    tensorflow_engine,
    tensorflow_loops,
    tensorflow_training,
    training,
)
from benchmarks.providers import Provider, engine_module, providers_of
from tests.support import memory

PROVIDERS = {p.name: p for p in providers_of(["tensorflow", "core"])}
REPAIRED, KERAS = PROVIDERS["repaired Lambda"], PROVIDERS["Keras layers"]
CELL = cases.Cell(cases.FORWARD_BACKWARD, "graph", cases.Case(2, 8, 3))


def run_session(folder, providers, cells=(CELL,)):
    """Runs cells on a tiny budget; returns session, rows and what it said."""
    said = []
    writer = results.Writer(folder, environment.describe_environment("cpu"))
    measuring = session.Session(providers, writer, "cpu", 0.01, say=said.append)
    for cell in cells:
        measuring.run_cell(cell)
    rows = results.load(writer.csv)
    return measuring, rows[rows["engine"] != "machine"].reset_index(), said


def judged(provider, mode=cases.FORWARD_BACKWARD, case=CELL.case):
    """The verdict on a provider, or on a function of x, mask and axis."""
    if callable(provider):
        provider = Provider("candidate", provider)
    engine = engine_module(provider.engine).create("cpu")
    arrays, cell = cases.make_inputs(case), cases.Cell(mode, "graph", case)
    placed = engine.place(arrays)
    return correctness.Checker().check(engine, provider, cell, arrays, placed)


def slightly_off(*arguments):
    """Right but for the norm, off by more than the contract allows."""
    mean, largest, norm = tf.split(REPAIRED.pool(*arguments), 3, axis=-1)
    return tf.concat([mean, largest, norm * (1 + 25 * 2**-24)], axis=-1)


def test_the_grid_covers_what_it_promises():
    cells = grid.full()
    assert len(cells) == len(set(cells))
    for shape in [(1, 1, 1), (64, 1500, 512), (7, 333, 33), (1, 10**6, 64)]:
        for dtype in grid.DTYPES:
            for mode in (cases.FORWARD, cases.FORWARD_BACKWARD):
                assert cases.Cell(mode, "graph", cases.Case(*shape, dtype)) in cells
    assert {c.dispatch for c in cells} == {"graph", "call", "core", "step", "kernel"}
    assert len(grid.quick()) == 13


def test_right_numbers_pass():
    for layout in ("channels_last", "channels_first"):
        for case in (cases.Case(2, 50, 6, layout=layout, masked=m) for m in (0, 0.3)):
            for provider in (REPAIRED, KERAS, PROVIDERS["statpool core"]):
                if provider.handles(case):
                    assert judged(provider, case=case).status != correctness.WRONG


@pytest.mark.parametrize(
    ("pool", "status", "reason"),
    [
        (lambda *a: REPAIRED.pool(*a) * 1.01, correctness.WRONG, "instead of"),
        (slightly_off, correctness.IMPRECISE, ""),
        (lambda *a: REPAIRED.pool(*a)[:, :-1], correctness.WRONG, "shape"),
        (PROVIDERS["Lambda"], correctness.WRONG, "gradient is NaN"),
    ],
)
def test_wrong_numbers_are_caught(pool, status, reason):
    mode = cases.FORWARD if reason == "shape" else cases.FORWARD_BACKWARD
    verdict = judged(pool, mode, cases.Case(2, 50, 3))
    assert verdict.status == status
    assert reason in verdict.reason


def test_an_error_in_the_timed_shape_alone_is_caught():
    def pool(x, mask, axis):
        return REPAIRED.pool(x, mask, axis) * (1.5 if x.shape[axis] == 77 else 1.0)

    assert judged(pool, case=cases.Case(2, 77, 3)).status == correctness.WRONG
    assert judged(pool, case=cases.Case(2, 78, 3)).status != correctness.WRONG


@pytest.mark.parametrize("name", ["jax", "tensorflow"])
def test_a_training_step_is_judged_by_its_loss(name):
    engine = pytest.importorskip(name) and engine_module(name)
    cell = cases.Cell(cases.TRAIN_RELU, "step", cases.Case(4, 20, 6))
    right = next(provider for provider in engine.PROVIDERS if provider.trains)
    wrong = dataclasses.replace(right, pool=lambda *a: right.pool(*a) * 1.1)
    for provider, status in ((right, "ok"), (wrong, "wrong")):
        _, loss, _, wanted = engine.create("cpu").training(provider, cell)
        assert correctness.judge_loss(loss, wanted, "float32").status == status


def test_all_ways_train_alike_and_what_is_inside_is_not_moved(tmp_path):
    cells = [cell for cell in grid.tiny() if cell.dispatch == "step"]
    assert [cell.mode for cell in cells] == list(cases.STEPS)
    stock = ("repaired Lambda", "statpool", "statpool inside")
    names = [*stock, *(f"{name} XLA" for name in stock)]
    _, rows, _ = run_session(tmp_path, [PROVIDERS[name] for name in names], cells)
    assert list(rows["status"]) == ["ok"] * len(cells) * len(names)
    moved = rows.set_index(["mode", "provider"])["bytes"].unstack()[names]
    for ways in (names[:3], names[3:]):
        assert (moved[ways].diff(axis=1)[ways[1:]] < 0).all().all(), moved


def test_bytes_of_a_step_are_those_of_its_arrays():
    size = 4 * 20 * 7
    relu = tf.function(lambda: tf.nn.relu(tf.reshape(x, [7, 20])), autograph=False)
    x = tf.ones([20, 7])
    assert tensorflow_training.bytes_of(relu, compiled=False) == 2 * size
    text = """
      ENTRY %main (x: f32[20,7]) -> f32[] {
        %x = f32[20,7]{1,0} parameter(0)
        %call = (f32[7]{0}, /*index=1*/bf16[3,7]{1,0}) custom-call(%x, %x), target="a"
        %y.1 = f32[7]{0} get-tuple-element(%call), index=0
        ROOT %sum = pred[] fusion(%y.1), kind=kLoop, calls=%x
      }"""
    assert training.bytes_accessed(text) == 2 * size + 28 + 42 + 28 + 1


def test_bytes_of_a_step_agree_with_the_cost_analysis_of_xla():
    jax = pytest.importorskip("jax")
    step = jax.jit(jax.grad(lambda x: (jax.nn.relu(x) ** 2).sum(1).max()))
    compiled = step.lower(jax.numpy.ones((4, 50, 64))).compile()
    wanted = compiled.cost_analysis()["bytes accessed"]
    assert training.bytes_accessed(compiled.as_text()) == pytest.approx(
        wanted, rel=0.05
    )


def test_the_graph_loop_runs_every_call(tmp_path):
    case, turns = cases.Case(2, 8, 3), 3
    placed = tensorflow_engine.create("cpu").place(cases.make_inputs(case))
    for mode, expected in [(cases.FORWARD, {}), (cases.FORWARD_BACKWARD, {"Equal": 1})]:
        operation = tensorflow_engine.make_operation(REPAIRED, mode, case)
        runner = tensorflow_loops.graph_runner(operation, mode, placed)
        runner.run(1)
        with tf.profiler.experimental.Profile(str(tmp_path / mode)):
            runner.run(turns)
        (trace,) = (tmp_path / mode).rglob("*.xplane.pb")
        ran = {}  # how often each op ran, from the profiler's trace of the executor
        for plane in xplane_pb2.XSpace.FromString(trace.read_bytes()).planes:
            for event in (event for line in plane.lines for event in line.events):
                op = plane.event_metadata[event.metadata_id].name.rpartition(":")[2]
                ran[op] = ran.get(op, 0) + 1
        for op, per_call in {"Max": 1, "Sqrt": 1, **expected}.items():
            assert ran[op] == per_call * turns * tensorflow_loops.UNROLLED, (mode, op)


def test_xla_keeps_the_call_in_the_loop():
    case, mode = cases.Case(2, 8, 3), cases.FORWARD_BACKWARD
    call = tensorflow_engine.create("cpu").place(cases.make_inputs(case))
    operation = tensorflow_engine.make_operation(REPAIRED, mode, case)
    loop = tensorflow_loops.compiled_loop(operation, mode)
    compiled = loop.experimental_get_compiler_ir(tf.constant(3), tuple(call))
    text = compiled(stage="optimized_hlo")
    entry = text[text.index("\nENTRY") :]
    assert "while(" in entry
    assert 'op_name="while/Max"' in text
    assert 'op_name="while/Max"' not in entry
    y, dx = loop(tf.constant(3), tuple(call))
    np.testing.assert_allclose(y, operation(*call)[0], rtol=1e-6)
    np.testing.assert_allclose(dx, operation(*call)[1], rtol=1e-5, atol=1e-7)


def test_xla_runs_even_the_tiniest_call():
    case, turns = cases.Case(1, 1, 1), 2_000_000
    for mode in (cases.FORWARD, cases.FORWARD_BACKWARD):
        operation = tensorflow_engine.make_operation(REPAIRED, mode, case)
        placed = tensorflow_engine.create("cpu").place(cases.make_inputs(case))
        runner = tensorflow_loops.compiled_runner(operation, mode, placed)
        runner.run(1)
        # A loop that was optimised away takes no time at all.
        assert min(runner.seconds(turns) for _ in range(3)) / turns > 3e-9


def test_rounds_interleave_and_rotate():
    order = []
    runners = [measure.Runner(lambda _, i=i: order.append(i)) for i in range(3)]
    contenders = [measure.Samples(runner, 1) for runner in runners]
    measure.take_rounds(contenders, budget=0)
    assert order == [0, 1, 2, 1, 2, 0, 2, 0, 1]
    assert all(len(c.seconds) == measure.LEAST_ROUNDS for c in contenders)


def test_samples_are_per_call_and_a_dispatch_hardly_counts():
    per_call, dispatch = 1e-5, 1e-3
    runner = measure.Runner(lambda n: time.sleep(dispatch + 4 * n * per_call), batch=4)
    samples = measure.calibrate(runner, 1e-4)
    samples.take()
    assert samples.calls == 4 * samples.batches
    assert samples.calls * per_call > 40 * dispatch
    assert per_call <= samples.seconds[0] < 10 * per_call


def test_a_limit_that_is_beaten_is_reported(tmp_path, monkeypatch):
    slow = measure.Runner(lambda calls: time.sleep(0.2 * calls))
    found = [limits.Limit(limits.READ, slow, 8), limits.Limit(limits.COPY, slow, 16)]
    engine = tensorflow_engine.TensorFlowEngine
    monkeypatch.setattr(engine, "limits", lambda *_: found)
    measured, rows, _ = run_session(tmp_path, [PROVIDERS["statpool"]])
    assert measured.beaten == [f"{CELL.label} statpool"]
    assert list(rows["limit"]) == [f"{limits.READ} + {limits.COPY}"]
    rows = results.load(tmp_path / results.CSV_NAME).set_index("provider")
    assert list(rows["bytes"][[limits.READ, limits.COPY]]) == [8, 16]
    assert not rows["limit"][[limits.READ, limits.COPY]].any()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_what_goes_wrong_is_a_row_and_the_others_go_on(tmp_path):
    def absent(*_):
        import a_package_that_nobody_has  # noqa: F401

    def greedy(x, mask, axis):
        if x.shape[axis] == 3:  # the tiny input on which a provider is tried first
            return REPAIRED.pool(x, mask, axis)
        rows = tf.cast(tf.reduce_mean(x) * 0, tf.int64) + 2**40
        return x + tf.reduce_sum(tf.random.uniform([rows]))

    liar = Provider("liar", lambda *a: REPAIRED.pool(*a) * 1.5, ours=True)
    providers = [Provider("absent", absent), Provider("greedy", greedy), liar, REPAIRED]
    with memory.no_more_than_there_is():
        measured, rows, said = run_session(tmp_path, providers)
    assert list(rows["status"]) == ["left out", "out of memory", "wrong", "ok"]
    assert "a_package_that_nobody_has" in rows["reason"][0]
    for line, words in zip(said, ("left out: absent", "out of memory"), strict=False):
        assert words in line
    assert measured.wrong == [f"{CELL.label} liar: wrong"]
    text = report.write_report(tmp_path / results.CSV_NAME).read_text()
    assert "| absent" in text
    assert re.search(r"liar .*\| wrong .*instead of", text)
