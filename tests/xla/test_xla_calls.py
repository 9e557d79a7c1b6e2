"""Custom calls that the op did not write: one that breaks a rule runs no kernel.

A program of XLA may be written by hand, or for another version of statpool. No call
makes a kernel read or write out of bounds.
"""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

import statpool
from statpool import _native
from tests.support.cases import FORMATS

OPERANDS = {
    "global_stats": ("x", "mask", "lengths"),
    "global_stats_gradient": ("upstream", "x", "saved", "mask", "lengths"),
}
RESULTS = {
    "global_stats": ("y", "saved", "workspace"),
    "global_stats_gradient": ("dx",),
}
# The tensors of right calls, for mean, max and l2.
TENSORS = {
    "x": "4x10x6xf32", "mask": "4x10xi1", "lengths": "4xi64", "y": "4x18xf32",
    "saved": "4x5x6xf32", "workspace": None, "upstream": "4x18xf32", "dx": "4x10x6xf32",
}  # fmt: skip
DTYPES = {
    "f16": tf.float16, "bf16": tf.bfloat16, "f32": tf.float32, "f64": tf.float64,
    "i1": tf.bool, "i32": tf.int32, "i64": tf.int64, "ui8": tf.uint8,
}  # fmt: skip
STABLEHLO = """
func.func public @main({parameters}) -> ({results}) {{
  %results:{count} = stablehlo.custom_call @statpool.{target}({operands}) {{
    api_version = 4 : i32,
    backend_config = {{
      activation = {activation} : i32,
      epsilon = {epsilon} : f64,
      layout = {layout} : i32,
      negative_slope = {slope} : f64,
      statistics = array<i32{statistics}>
    }}
  }} : ({types}) -> ({results})
  return {returned} : {results}
}}
"""
INFINITY, NAN = "0x7FF0000000000000", "0x7FF8000000000000"  # MLIR has no words for them


@pytest.fixture(scope="module", autouse=True)
def handlers():
    _native.ops()
    if not _native.xla_devices():
        pytest.skip("this build has no XLA part")


ATTRIBUTES = {"epsilon": "1.0e-12", "layout": 0, "activation": 0, "slope": "1.0"}


def call(target, values=(), *, statistics=(0, 1, 3), **changes):
    """Runs a call whose tensors are changed, those of None left out.

    Returns its operands, random where no value is given, and its results.
    """
    tensors = TENSORS | changes
    tensors = {name: tensors[name] for name in TENSORS if tensors[name]}
    operands = {name: tensors[name] for name in OPERANDS[target] if name in tensors}
    results = {name: tensors[name] for name in RESULTS[target] if name in tensors}
    parameters = (f"%{name}: tensor<{type}>" for name, type in operands.items())
    module = STABLEHLO.format(
        target=target,
        parameters=", ".join(parameters),
        operands=", ".join(f"%{name}" for name in operands),
        types=", ".join(f"tensor<{type}>" for type in operands.values()),
        results=", ".join(f"tensor<{type}>" for type in results.values()),
        count=len(results),
        returned=", ".join(f"%results#{i}" for i in range(len(results))),
        **{name: changes.get(name, usual) for name, usual in ATTRIBUTES.items()},
        statistics=": " + ", ".join(map(str, statistics)) if statistics else "",
    )
    shapes, dtypes = zip(*map(_shape_and_dtype, results.values()), strict=True)

    @tf.function(jit_compile=True, autograph=False)
    def run(*operands):
        how = {"version": 9, "platforms": ["CPU"], "module": module}
        return xla.call_module(operands, Sout=shapes, Tout=dtypes, **how)

    inputs = {name: _value(type) for name, type in operands.items()} | dict(values)
    return inputs | dict(zip(results, run(*inputs.values()), strict=True))


def _shape_and_dtype(type):
    *shape, dtype = type.split("x")
    return [int(size) for size in shape], DTYPES[dtype]


def _value(type):
    shape, dtype = _shape_and_dtype(type)
    if not dtype.is_floating:
        return tf.ones(shape, dtype)
    return tf.cast(np.random.default_rng(0).normal(size=shape), dtype)


def same_type(dtype):
    names = ("x", "y", "upstream", "dx")
    return {name: f"{TENSORS[name][:-3]}{dtype}" for name in names}


F64 = same_type("f64") | {"saved": "4x5x6xf64"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lengths": None},
        {"mask": None},
        {"mask": None, "lengths": None},
        same_type("f16"),
        same_type("bf16") | {"y": "4x18xf32", "upstream": "4x18xf32"},
        F64,
        {"x": "4x6x10xf32", "dx": "4x6x10xf32", "layout": 1},
        {"workspace": "3xui8"},  # more than it needs
    ],
)
def test_right_calls_give_what_the_op_gives(changes):
    done = call("global_stats", **changes)
    x, padding = done["x"], (done.get("mask"), done.get("lengths"))
    options = {"data_format": FORMATS[changes.get("layout", 0)]}
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = statpool.global_stats(x, *padding, output_dtype=done["y"].dtype, **options)
    np.testing.assert_array_equal(done["y"], y)
    gradient = call("global_stats_gradient", {"saved": done["saved"]}, **changes)
    expected = tape.gradient(y, x, gradient["upstream"])
    np.testing.assert_array_equal(gradient["dx"], expected)


@pytest.mark.parametrize("sizes", [(0, 10, 6), (4, 0, 6), (4, 10, 0)])
def test_calls_may_be_empty(sizes):
    b, t, c = sizes
    x, y = f"{b}x{t}x{c}xf32", f"{b}x{3 * c}xf32"
    changes = {"x": x, "dx": x, "y": y, "upstream": y, "saved": f"{b}x5x{c}xf32"}
    changes |= {"mask": f"{b}x{t}xi1", "lengths": None}
    done = call("global_stats", **changes)
    np.testing.assert_array_equal(done["y"], statpool.global_stats(done["x"]))
    call("global_stats_gradient", {"saved": done["saved"]}, **changes)


RULES = [
    ({"x": "4x60xf32"}, r"x must have rank 3, \[B, T, C\], got shape \[4,60\]"),
    ({"x": "4x60xf32", "layout": 1}, r"x must have rank 3, \[B, C, T\]"),
    ({"x": "4x10x6xi32"}, "x must have type F16, BF16, F32 or F64, got S32"),
    ({"statistics": []}, "statistics must hold at least one number, got none"),
    ({"statistics": [0, -1]}, "statistics must be numbers of .* got -1"),
    ({"statistics": range(8)}, "statistics must be numbers of .* got 7"),
    ({"statistics": [3, 3]}, "statistics must not repeat a number, got 3 twice"),
    ({"statistics": [1] * 400}, "statistics must not .*, got 1 twice among 400"),
    ({"layout": 2}, "layout must be 0 .* or 1 .*, got 2"),
    ({"layout": -1}, "layout must be 0 .* or 1 .*, got -1"),
    ({"activation": 9}, "activation must be a number below [0-9], got 9"),
    ({"activation": -1}, "activation must be a number below [0-9], got -1"),
    ({"slope": "0.0"}, "negative_slope must be above 0 and at most 1, got 0"),
    ({"slope": NAN}, "negative_slope must be above 0 and at most 1, got nan"),
    ({"epsilon": "-1.0"}, "epsilon must be finite and >= 0, got -1"),
    ({"epsilon": INFINITY}, "epsilon must be finite and >= 0, got inf"),
    ({"epsilon": NAN}, "epsilon must be finite and >= 0, got nan"),
    ({"saved": "4x4x6xf32"}, r"saved must have .* = \[4,5,6\], got \[4,4,6\]"),
    ({"saved": "4x5x6xf64"}, "saved must have type F32, got F64"),
    (same_type("f16") | {"saved": "4x5x6xf16"}, "saved must have type F32, got F16"),
    (same_type("f64"), "saved must have type F64, got F32"),
    ({"mask": "4x9xi1"}, r"mask must have shape \[B, T\] = \[4,10\], got \[4,9\]"),
    ({"mask": "4x10xui8"}, "mask must have type PRED, got U8"),
    ({"mask": "4xi64", "lengths": "4x10xi1"}, "mask must have type PRED, got S64"),
    ({"lengths": "3xi64"}, r"lengths must have shape \[B\] = \[4\], got \[3\]"),
    ({"lengths": "4xi32"}, r"lengths must have shape \[B, 2\] = \[4,2\], got \[4\]"),
    ({"lengths": "4xi32", "mask": None}, r"lengths must have shape \[B, 2\]"),
    ({"lengths": "4x10xi1"}, "lengths must have type S64, got PRED"),
]
FORWARD_RULES = [
    ({"y": "4x17xf32"}, r"y must have shape \[B, S \* C\] = \[4,18\], got \[4,17\]"),
    ({"y": "4x18xf64"}, "y must .* of x, or F32 for a 16-bit x, got F64 for F32"),
    ({"y": "4x18xf16"}, "y must have the type of x, .* got F16 for F32"),
    (F64 | {"y": "4x18xf32"}, "y must have the type of x, .* got F32 for F64"),
    ({"layout": 1}, r"y must have shape \[B, S \* C\] = \[4,30\], got \[4,18\]"),
]
GRADIENT_RULES = [
    ({"upstream": "4x17xf32"}, r"upstream must have shape .* = \[4,18\], got \[4,17\]"),
    ({"upstream": "4x18xf64"}, "upstream must have the type of x, .* got F64 for F32"),
    ({"dx": "4x9x6xf32"}, r"dx must have shape of x = \[4,10,6\], got \[4,9,6\]"),
    ({"dx": "240xf32"}, r"dx must have shape of x = \[4,10,6\], got \[240\]"),
    ({"dx": "4x10x6xf64"}, "dx must have type F32, got F64"),
]
# Long enough to be split along time, which takes a workspace.
LONG = {"x": "1x50000x3xf32", "y": "1x9xf32", "saved": "1x5x3xf32"}
LONG |= {"mask": None, "lengths": None}
WORKSPACE_RULE = "workspace must have type U8 and at least [0-9]+ elements, got"
FORWARD_RULES += [
    (LONG | {"workspace": "40xui8"}, f"{WORKSPACE_RULE} 40"),
    (LONG | {"workspace": "4000xi32"}, f"{WORKSPACE_RULE} 0"),
]
BROKEN = [("global_stats", *row) for row in RULES + FORWARD_RULES]
BROKEN += [("global_stats_gradient", *row) for row in RULES + GRADIENT_RULES]


@pytest.mark.parametrize(("target", "changes", "message"), BROKEN)
def test_broken_rules_are_said(target, changes, message):
    message += ".*; let this version"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call(target, **changes)


@pytest.mark.parametrize("target", OPERANDS)
def test_lengths_out_of_range_are_said(target):
    lengths = {"lengths": tf.constant([0, 10, 11, 3], tf.int64)}
    message = r"lengths must lie in .* got 11"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call(target, lengths)


@pytest.mark.parametrize("workspace", [None, "4000xui8"])
def test_a_workspace_may_be_given(workspace):
    done = call("global_stats", **LONG | {"workspace": workspace})
    np.testing.assert_array_equal(done["y"], statpool.global_stats(done["x"]))
