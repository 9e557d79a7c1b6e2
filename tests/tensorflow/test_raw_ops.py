"""The raw ops, called as nobody should: an error that states the rule, no crash.

What tracing knows, shape inference checks; tests/contract/test_tracing.py says what it
infers.
"""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels, op_def_registry

from statpool import _native

B, T, C = 2, 5, 3
OPS = ("Statpool>GlobalStats", "Statpool>GlobalStatsGrad")
DTYPES = (tf.float16, tf.bfloat16, tf.float32, tf.float64)
ERRORS = (tf.errors.InvalidArgumentError, ValueError, TypeError)


def forward(**changes):
    arguments = {
        "x": tf.ones([B, T, C]),
        "mask": [],
        "lengths": [],
        "Tout": tf.float32,
        "Tsaved": tf.float32,
        **changes,
    }
    return _native.ops().statpool_global_stats(**arguments)


def gradient(**changes):
    arguments = {
        "upstream": tf.ones([B, 3 * C]),
        "x": tf.ones([B, T, C]),
        "saved": tf.ones([B, 5, C]),
        "mask": [],
        "lengths": [],
        **changes,
    }
    return _native.ops().statpool_global_stats_grad(**arguments)


def traced(function, changes):
    return tf.function(lambda: function(**changes)).get_concrete_function()


def eager(function, changes):
    return function(**changes)


FLAT = tf.ones([B, T])
BROKEN_BY_BOTH = [
    ({"x": FLAT}, r"x must have rank 3, \[B, T, C\], got shape \[2,5\]"),
    ({"x": FLAT, "data_format": "channels_first"}, r"x must .* rank 3, \[B, C, T\]"),
    ({"x": tf.ones([])}, "x must have rank 3"),
    ({"mask": [tf.ones([B, T + 1], tf.bool)]}, r"mask must have shape \[B, T\]"),
    ({"mask": [tf.constant(True)]}, r"mask must have shape \[B, T\]"),
    ({"mask": [tf.ones([B, T], tf.bool)] * 2}, "mask must be at most one .* got 2"),
    ({"lengths": [tf.ones([B, 1], tf.int64)]}, r"lengths must have shape \[B\]"),
    ({"lengths": [tf.ones([B], tf.int64)] * 3}, "lengths must be at most one .* got 3"),
    ({"epsilon": "-1"}, "epsilon must be finite and >= 0, got -1"),
    ({"epsilon": "inf"}, "epsilon must be finite and >= 0, got inf"),
    ({"epsilon": "nan"}, "epsilon must be finite and >= 0, got nan"),
    ({"epsilon": "1e-12 "}, "epsilon must be a decimal number"),
    ({"epsilon": ""}, "epsilon must be a decimal number"),
    ({"negative_slope": "x"}, "negative_slope must be a decimal number"),
    ({"negative_slope": "0"}, "negative_slope must be above 0 and at most 1, got 0"),
    ({"negative_slope": "2"}, "negative_slope must be above 0 and at most 1, got 2"),
    ({"negative_slope": "nan"}, "negative_slope must be above 0 .* got nan"),
    ({"input_activation": "gelu"}, "gelu"),
    ({"statistics": []}, "statistics must name at least one"),
    ({"statistics": ["mode"]}, "statistics must be among .* got 'mode'"),
    ({"statistics": ["max", "max"]}, "statistics must not repeat a name, got 'max'"),
]
BROKEN_FORWARD = [
    ({"Tout": tf.float64}, "output_dtype must be that of x"),
    ({"Tsaved": tf.float64}, "Tsaved must be float"),
]
BROKEN_GRADIENT = [
    ({"upstream": tf.ones([B, C])}, r"upstream must have shape \[B, S \* C\]"),
    ({"upstream": tf.ones([B + 1, 3 * C])}, r"upstream must have shape"),
    ({"upstream": tf.ones([])}, r"upstream must have shape"),
    ({"saved": tf.ones([B, 3, C])}, r"saved must have shape \[B, planes, C\]"),
    ({"saved": tf.ones([0])}, r"saved must have shape"),
    ({"saved": tf.ones([B, 5, C], tf.float64)}, "Tsaved must be float"),
    ({"upstream": tf.ones([B, 3 * C], tf.float16)}, "output_dtype must be that of x"),
]
CASES = [
    *((forward, *case) for case in BROKEN_BY_BOTH + BROKEN_FORWARD),
    *((gradient, *case) for case in BROKEN_BY_BOTH + BROKEN_GRADIENT),
]


@pytest.mark.parametrize("call", [eager, traced])
@pytest.mark.parametrize(("function", "changes", "message"), CASES)
def test_broken_rule_is_named(call, function, changes, message):
    with pytest.raises(ERRORS, match=message):
        call(function, changes)


@pytest.mark.parametrize("length", [6, -1, 2**62, 2**40 + 1])
@pytest.mark.parametrize("function", [forward, gradient])
def test_lengths_are_checked_when_the_op_runs(function, length):
    changes = {"lengths": [tf.constant([1, length], tf.int64)]}
    for call in (lambda: function(**changes), traced(function, changes)):
        with pytest.raises(ERRORS, match=f"lengths must lie in .* got {length}"):
            call()


def test_the_calls_that_the_broken_ones_start_from_are_valid():
    assert forward()[0].shape == traced(forward, {})()[0].shape == [B, 3 * C]
    assert gradient().shape == traced(gradient, {})().shape == [B, T, C]


@pytest.mark.parametrize("shape", [[0, T, 0], [B, T, C], None])
def test_what_is_inferred_from_what_is_known(shape):
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def both(x):
        y, saved = forward(x=x)
        return y, gradient(x=x, upstream=y, saved=saved)

    y, dx = (s.as_list() for s in both.get_concrete_function().output_shapes)
    assert y == ([shape[0], 3 * shape[2]] if shape else [None, None])
    assert dx == (shape or [None, None, None])


@pytest.mark.parametrize("op", OPS)
def test_every_dtype_of_the_attributes_has_a_kernel(op):
    attributes = {a.name: a for a in op_def_registry.get(op).attr}
    for name in ("T", "Tout"):
        assert {*attributes[name].allowed_values.list.type} == {*map(int, DTYPES)}
    found = kernels.get_registered_kernels_for_op(op).kernel
    assert {"CPU", "XLA_CPU_JIT"} <= {kernel.device_type for kernel in found}
    for kernel in found:  # no constraint on T: one kernel serves all
        assert "T" not in {constraint.name for constraint in kernel.constraint}


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_ops_run_for_every_dtype(dtype):
    saved = tf.float64 if dtype == tf.float64 else tf.float32
    y, planes = forward(x=tf.ones([B, T, C], dtype), Tout=dtype, Tsaved=saved)
    dx = gradient(x=tf.ones([B, T, C], dtype), upstream=y, saved=planes)
    assert (y.dtype, planes.dtype, dx.dtype) == (dtype, saved, dtype)


HOSTILE_NUMBERS = np.array([-(2**62), -1, 0, 1, 3, 2**31, 2**62])
FITTING = {"x": (3, 3, 3), "upstream": (3, 9), "saved": (3, 5, 3)}
FITTING |= {"mask": (3, 3), "lengths": (3,)}


def hostile_tensor(rng, name, dtype):
    """Mostly of the shape that fits, else of any up to rank 4, and of any content."""
    shape = FITTING[name]
    if rng.random() < 0.2:
        shape = rng.choice([0, 1, 3], size=rng.integers(5))
    numbers = HOSTILE_NUMBERS if rng.random() < 0.5 else [0, 1, 3]
    return tf.cast(tf.constant(rng.choice(numbers, size=shape)), dtype)


def test_thousands_of_hostile_calls_end_in_an_error_or_a_result():
    """A crash would end this process, and the test run with it."""
    rng = np.random.default_rng(1)

    def optional(name, dtype):
        count = rng.choice([0, 1, 1, 1, 2])
        return [hostile_tensor(rng, name, dtype) for _ in range(count)]

    outcomes = {"result": 0, "error": 0}
    for _ in range(8000):
        dtype, other = rng.choice([tf.float32, tf.float64], size=2, p=[0.8, 0.2])
        shared = {
            "x": hostile_tensor(rng, "x", dtype),
            "mask": optional("mask", tf.bool),
            "lengths": optional("lengths", tf.int64),
            "epsilon": rng.choice(["0", "1e-12", "1", "-1", "1e400"]),
            "data_format": rng.choice(["channels_last", "channels_first"]),
        }
        try:
            if rng.random() < 0.5:
                forward(**shared, Tsaved=other, Tout=dtype)
            else:
                upstream = hostile_tensor(rng, "upstream", dtype)
                saved = hostile_tensor(rng, "saved", other)
                gradient(**shared, upstream=upstream, saved=saved)
            outcomes["result"] += 1
        except ERRORS:
            outcomes["error"] += 1
    assert outcomes["error"] > 1000
    assert outcomes["result"] > 500


def test_saved_of_another_call_gives_wrong_numbers_but_no_crash():
    dx = gradient(saved=tf.fill([B, 5, C], np.float32(np.nan)))
    assert dx.shape == [B, T, C]
