"""The smallest inputs, and the silent channel that statpool was made for."""

import numpy as np
import pytest

from tests.support.cases import DTYPES, FORMATS, Case, numpy_dtype
from tests.support.checks import check
from tests.support.exact import STATISTICS

ROOTS = ("l2", "rms", "std")


def test_silent_channel_has_a_finite_gradient(implementation):
    """The NaN of sqrt at 0: its gradient is infinite, and inf * 0 is NaN."""
    x = np.zeros((2, 5, 3), np.float32)
    upstream = np.ones((2, 9), np.float32)
    for epsilon in (0.0, 1e-12):
        options = {"statistics": ROOTS, "epsilon": epsilon}
        values = implementation.forward(x, **options)
        assert np.array_equal(values, np.full((2, 9), np.float32(np.sqrt(epsilon))))
        assert not implementation.gradient(x, upstream, **options).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_silent_channels(implementation, dtype):
    check(implementation, Case(2, 9, 5, dtype, "relu", "both", epsilon=0.0))


EMPTY = [("no time", "float32"), ("no time", "float64")]
EMPTY += [("lengths", "float32"), ("mask", "float32")]


@pytest.mark.parametrize(("padding", "dtype"), EMPTY)
@pytest.mark.parametrize("epsilon", [0.0, 0.25])
def test_no_step_that_counts(implementation, padding, dtype, epsilon):
    x = np.full((2, 0 if padding == "no time" else 3, 2), np.nan, dtype)
    mask = np.zeros((2, 3), bool) if padding == "mask" else None
    lengths = np.zeros(2, np.int64) if padding == "lengths" else None
    options = {"statistics": STATISTICS, "epsilon": epsilon}
    values = implementation.forward(x, mask, lengths, **options)
    empty = [np.sqrt(epsilon) if name in ROOTS else 0 for name in STATISTICS]
    assert np.array_equal(values, np.tile(np.repeat(empty, 2), (2, 1)))
    upstream = np.full(values.shape, np.nan, dtype)
    gradient = implementation.gradient(x, upstream, mask, lengths, **options)
    assert np.array_equal(gradient, np.zeros_like(x))


def test_an_empty_example_beside_a_full_one(implementation):
    x = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)
    lengths = np.array([0, 2])
    options = {"statistics": ("mean", "max", "min", "rms"), "epsilon": 0.0}
    values = implementation.forward(x, None, lengths, **options)
    assert np.array_equal(values, np.float32([[0, 0, 0, 0], [3.5, 4, 3, 12.5**0.5]]))
    upstream = np.float32([[1, 1, 1, 0], [1, 1, 1, 0]])
    gradient = implementation.gradient(x, upstream, None, lengths, **options)
    assert np.array_equal(gradient[:, :, 0], [[0, 0], [1.5, 1.5]])


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 3, 0), (0, 0, 0), (0, 3, 0)])
def test_empty_outputs(implementation, shape, data_format):
    x = np.zeros(shape, np.float32)
    channels = shape[2 if data_format == "channels_last" else 1]
    mask = np.ones((shape[0], shape[1 if data_format == "channels_last" else 2]), bool)
    padded = {"mask": mask, "lengths": np.zeros(shape[0], np.int32)}
    for padding in ({}, padded)[implementation.compiles_each_shape :]:
        options = padding | {"data_format": data_format}
        values = implementation.forward(x, **options)
        assert values.shape == (shape[0], 3 * channels)
        gradient = implementation.gradient(x, np.zeros_like(values), **options)
        assert gradient.shape == shape


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_step(implementation, dtype):
    case = Case(3, 1, 4, dtype, epsilon=0.0)
    check(implementation, case)
    values = implementation.values_of(case).reshape(3, len(STATISTICS), 4)
    for name in ("mean", "max", "min"):
        assert np.array_equal(values[:, STATISTICS.index(name)], case.x()[:, 0])


def test_all_negative_channel_has_a_negative_max(implementation):
    x = np.array([[[-3.0], [-1.0], [-2.0], [0.0]]], np.float32)
    mask = np.array([[True, True, True, False]])
    options = {"statistics": ("max", "min")}
    values = implementation.forward(x, mask, **options)
    assert np.array_equal(values, [[-1, -3]])
    gradient = implementation.gradient(x, np.float32([[5, 7]]), mask, **options)
    assert np.array_equal(gradient[0, :, 0], [7, 5, 0, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_share_evenly(implementation, dtype):
    x = np.array([1, 3, 3, 1, 3, 3, 2, 9]).reshape(1, 8, 1).astype(numpy_dtype(dtype))
    options = {"statistics": ("max", "min")}
    upstream = np.array([[8, 6]]).astype(x.dtype)
    gradient = implementation.gradient(x, upstream, None, np.array([7]), **options)
    assert np.array_equal(gradient[0, :, 0], [3, 2, 2, 3, 2, 2, 0, 0])


def test_zeros_of_both_signs_tie(implementation):
    x = np.array([0.0, -0.0, -1.0, -0.0]).reshape(1, 4, 1).astype(np.float32)
    gradient = implementation.gradient(x, np.float32([[3]]), statistics=("max",))
    assert np.array_equal(gradient[0, :, 0], [1, 1, 0, 1])
