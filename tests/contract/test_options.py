"""The options: which statistics in which order, layout, and dtype of the output."""

import dataclasses

import numpy as np
import pytest

from tests.support.cases import DTYPES, FORMATS, Case, to_layout
from tests.support.checks import check_values
from tests.support.exact import STATISTICS

SELECTIONS = [(name,) for name in STATISTICS]
SELECTIONS += [("mean", "max", "l2"), ("l2", "max", "mean"), ("std", "min")]
SELECTIONS += [("rms", "l2", "std", "mean"), STATISTICS[::-1]]


@pytest.mark.parametrize("selection", SELECTIONS, ids="-".join)
def test_a_selection_is_a_slice_of_all(any_shape, selection):
    kinds = [(dtype, "normal") for dtype in DTYPES]
    kinds += [("float32", "1e30"), ("bfloat16", "1e-30")]
    for dtype, values in kinds:
        for padding in ("none", "both"):
            case = Case(2, 17, 9, dtype, values, padding)
            everything = any_shape.values_of(case).reshape(2, -1, 9)
            chosen = any_shape.values_of(case, selection).reshape(2, -1, 9)
            same = everything[:, [STATISTICS.index(name) for name in selection]]
            assert chosen.tobytes() == np.ascontiguousarray(same).tobytes()


def test_defaults(implementation):
    case, default = Case(2, 9, 5), ["mean", "max", "l2"]
    values = implementation.values_of(case, default)
    assert np.array_equal(implementation.forward(case.x()), values)
    gradient = implementation.gradient(case.x(), case.upstream(default))
    same = implementation.gradient_of(case, statistics=default)
    assert np.array_equal(gradient, same)


@pytest.mark.parametrize("data_format", FORMATS)
def test_keepdims_adds_an_axis(implementation, data_format):
    case = Case(2, 9, 5, padding="lengths", data_format=data_format)
    flat = implementation.values_of(case)
    kept = implementation.values_of(case, keepdims=True)
    assert kept.shape == ((2, 1, 30) if data_format == "channels_last" else (2, 30, 1))
    assert np.array_equal(kept.reshape(flat.shape), flat)
    upstream = case.upstream().reshape(kept.shape)
    gradient = implementation.gradient_of(case, upstream, keepdims=True)
    assert np.array_equal(gradient, implementation.gradient_of(case))


@pytest.mark.parametrize("dtype", DTYPES)
def test_data_formats_agree(any_shape, dtype):
    """In max and min; sums may be taken in another order, within their bounds."""
    last = Case(2, 17, 9, dtype, padding="both")
    first = dataclasses.replace(last, data_format="channels_first")
    assert np.array_equal(first.x(), to_layout(last.x(), "channels_first"))
    extremes = [any_shape.values_of(case, ("max", "min")) for case in (last, first)]
    assert np.array_equal(*extremes)
    check_values(any_shape, first)


@pytest.mark.parametrize("dtype", DTYPES)
def test_output_dtype(any_shape, dtype):
    case = Case(2, 9, 5, dtype)
    plain = any_shape.values_of(case)
    assert plain.dtype == case.x().dtype
    same = any_shape.values_of(case, output_dtype=dtype)
    assert np.array_equal(same, plain)
    if dtype in ("float16", "bfloat16"):
        wide = any_shape.values_of(case, output_dtype="float32")
        assert wide.dtype == np.float32
        assert np.array_equal(wide.astype(plain.dtype), plain)
        upstream = case.upstream().astype(np.float32)
        gradient = any_shape.gradient_of(case, upstream, output_dtype="float32")
        assert gradient.dtype == case.x().dtype
