"""The options: which statistics in which order, layout, and dtype of the output."""

import dataclasses

import numpy as np
import pytest

from tests.support.cases import DTYPES, FORMATS, Case, to_layout
from tests.support.checks import check_values
from tests.support.exact import STATISTICS

SELECTIONS = [(name,) for name in STATISTICS]
SELECTIONS += [
    ("mean", "max", "l2"),
    ("l2", "max", "mean"),
    ("std", "min"),
    ("rms", "l2", "std", "mean"),
    STATISTICS[::-1],
]


@pytest.mark.parametrize("selection", SELECTIONS, ids="-".join)
def test_a_selection_is_a_slice_of_all(any_shape, selection):
    kinds = [(dtype, "normal") for dtype in DTYPES]
    kinds += [("float32", "1e30"), ("bfloat16", "1e-30")]
    for dtype, values in kinds:
        for padding in ("none", "both"):
            case = Case(2, 17, 9, dtype, values, padding)
            everything = _forward(any_shape, case, STATISTICS).reshape(2, -1, 9)
            chosen = _forward(any_shape, case, selection).reshape(2, -1, 9)
            same = everything[:, [STATISTICS.index(name) for name in selection]]
            assert chosen.tobytes() == np.ascontiguousarray(same).tobytes()


def test_defaults(implementation):
    case = Case(2, 9, 5)
    explicit = _forward(implementation, case, ["mean", "max", "l2"])
    assert np.array_equal(implementation.forward(case.x()), explicit)
    upstream = case.upstream(("mean", "max", "l2"))
    assert np.array_equal(
        implementation.gradient(case.x(), upstream),
        implementation.gradient(
            case.x(), upstream, **case.options(["mean", "max", "l2"])
        ),
    )


@pytest.mark.parametrize("data_format", FORMATS)
def test_keepdims_adds_an_axis(implementation, data_format):
    case = Case(2, 9, 5, padding="lengths", data_format=data_format)
    arguments = case.mask(), case.lengths()
    flat = implementation.forward(case.x(), *arguments, **case.options())
    kept = implementation.forward(case.x(), *arguments, **case.options(), keepdims=True)
    width = 5 * len(STATISTICS)
    assert kept.shape == (
        (2, 1, width) if data_format == "channels_last" else (2, width, 1)
    )
    assert np.array_equal(kept.reshape(2, width), flat)
    upstream = case.upstream()
    assert np.array_equal(
        implementation.gradient(
            case.x(),
            upstream.reshape(kept.shape),
            *arguments,
            **case.options(),
            keepdims=True,
        ),
        implementation.gradient(case.x(), upstream, *arguments, **case.options()),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_data_formats_agree(any_shape, dtype):
    """In max and min; sums may be taken in another order, within their bounds."""
    last = Case(2, 17, 9, dtype, padding="both")
    first = dataclasses.replace(last, data_format="channels_first")
    assert np.array_equal(first.x(), to_layout(last.x(), "channels_first"))
    extremes = [_forward(any_shape, case, ("max", "min")) for case in (last, first)]
    assert np.array_equal(*extremes)
    check_values(any_shape, first)


@pytest.mark.parametrize("dtype", DTYPES)
def test_output_dtype(any_shape, dtype):
    case = Case(2, 9, 5, dtype)
    plain = _forward(any_shape, case, STATISTICS)
    assert plain.dtype == case.x().dtype
    same = _forward(any_shape, case, STATISTICS, output_dtype=dtype)
    assert np.array_equal(same, plain)
    if dtype in ("float16", "bfloat16"):
        wide = _forward(any_shape, case, STATISTICS, output_dtype="float32")
        assert wide.dtype == np.float32
        assert np.array_equal(wide.astype(plain.dtype), plain)
        upstream = case.upstream().astype(np.float32)
        gradient = any_shape.gradient(
            case.x(), upstream, **case.options(), output_dtype="float32"
        )
        assert gradient.dtype == case.x().dtype


def _forward(implementation, case, statistics, **options):
    return implementation.forward(
        case.x(), case.mask(), case.lengths(), **case.options(statistics), **options
    )
