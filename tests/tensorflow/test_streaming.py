"""Streams in TensorFlow: where a state passes through, and what a gradient keeps."""

import sys

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import streaming
from statpool.streaming import State
from tests.support import exact, fresh_process, memory
from tests.support.checks import assert_within, interval
from tests.support.exact import STATISTICS

X = np.random.default_rng(0).normal(size=(2, 12, 3)).astype("float32")


def whole():
    return statpool.global_stats(X, statistics=STATISTICS)


def in_a_loop(x):
    state, pieces = streaming.init(2, 3), tf.reshape(x, [2, 4, 3, 3])
    for i in tf.range(4):
        state = streaming.update(state, pieces[:, i])
    return streaming.result(state, STATISTICS)


def in_a_scan(x):
    pieces = tf.stack(tf.split(x, 4, axis=1))
    states = tf.scan(streaming.update, pieces, streaming.init(2, 3))
    return streaming.result(State(*(field[-1] for field in states)), STATISTICS)


@pytest.mark.parametrize("streamed", [in_a_loop, in_a_scan])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_state_passes_through_loops(streamed, jit_compile):
    """And so does its gradient, that of the one call."""
    upstream = np.random.default_rng(1).normal(size=(2, 18)).astype("float32")

    def gradient(pool):
        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = pool(x)
        return y, tape.gradient(y, x, upstream)

    def plain(x):
        return statpool.global_stats(x, statistics=STATISTICS)

    compiled = tf.function(lambda: gradient(streamed), jit_compile=jit_compile)
    for got, expected in zip(compiled(), gradient(plain), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_state_is_saved_in_a_checkpoint(tmp_path):
    state = streaming.update(streaming.init(2, 3), X[:, :5])
    path = tf.train.Checkpoint(state=[tf.Variable(v) for v in state]).save(
        tmp_path / "c"
    )
    kept = [tf.Variable(v) for v in streaming.init(2, 3)]
    tf.train.Checkpoint(state=kept).restore(path).assert_consumed()
    state = streaming.update(State(*map(tf.convert_to_tensor, kept)), X[:, 5:])
    np.testing.assert_allclose(streaming.result(state, STATISTICS), whole(), rtol=1e-6)


PIECES = 100_000


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_pieces_of_one_step(dtype):
    """A sum that grew by a rounding with each of them would be a thousand units off."""
    x = np.random.default_rng(2).normal(1, 1, size=(1, PIECES, 2)).astype(dtype)

    @tf.function
    def streamed(x):
        state = streaming.init(1, 2, dtype)
        for i in tf.range(PIECES):
            state = streaming.update(state, x[:, i : i + 1])
        return state

    state = streamed(tf.constant(x))
    values = streaming.result(state, STATISTICS, 0.0).numpy()
    bounded = exact.statistics(x, np.ones((1, PIECES), bool), 0.0)
    assert_within(values, *interval(bounded, STATISTICS, x.dtype), dtype)
    assert state.count.numpy().tolist() == [PIECES]


def test_ties_are_shared_over_all_pieces():
    x = tf.constant([[[3.0], [1.0], [3.0], [3.0], [1.0]]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        state = streaming.init(1, 1)
        for piece in tf.split(x, [1, 0, 3, 1], axis=1):
            state = streaming.update(state, piece)
        y = streaming.result(state, ("max", "min"))
    gradient = tape.gradient(y, x, tf.constant([[6.0, 4.0]]))
    assert np.ravel(gradient).tolist() == [2, 2, 2, 2, 2]
    assert (int(state.max_count[0, 0]), int(state.min_count[0, 0])) == (3, 2)


def test_the_order_of_merges_does_not_matter():
    a, b, c = (
        streaming.update(streaming.init(2, 3), piece)
        for piece in (X[:, :1], X[:, 1:8], X[:, 8:])
    )
    merge = streaming.merge
    for one, other in zip(merge(a, b), merge(b, a), strict=True):
        assert np.array_equal(one, other)
    orders = merge(merge(a, b), c), merge(c, merge(b, a)), merge(merge(c, a), b)
    results = [streaming.result(state, STATISTICS) for state in orders]
    for result in results:
        assert np.array_equal(result, results[0])
        np.testing.assert_allclose(result, whole(), rtol=1e-6)


SEEDS, LARGE = 8, (4, 1024, 512)  # 8 MiB


def peak_of_recomputed_pieces(recomputes):
    """Bytes that values and gradient of pieces take, each made of a small tensor."""

    def update(small, *state):
        x = tf.tanh(small * tf.ones(LARGE))
        return tuple(streaming.update(State(*state), x))

    update = tf.recompute_grad(update) if recomputes else update

    def gradient():
        smalls = [tf.constant([[[1.0 + i]]]) for i in range(SEEDS)]
        with tf.GradientTape() as tape:
            tape.watch(smalls)
            state = streaming.init(LARGE[0], LARGE[2])
            for small in smalls:
                state = State(*update(small, *state))
            y = streaming.result(state)
        return tape.gradient(y, smalls)

    found = gradient()
    assert all(np.isfinite(g).all() for g in found)
    return memory.peak_extra_bytes(gradient)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
@pytest.mark.parametrize(("recomputes", "pieces"), [(False, (8, 30)), (True, (2, 7))])
def test_a_recomputed_piece_keeps_nothing_of_its_size(recomputes, pieces):
    peak = fresh_process.call(peak_of_recomputed_pieces, recomputes)
    assert pieces[0] <= peak / 2**23 <= pieces[1]
