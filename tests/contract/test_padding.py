"""What lies in steps that don't count never matters."""

import numpy as np
import pytest

from tests.support.cases import DTYPES, FORMATS, Case

JUNK = (np.nan, np.inf, -np.inf, 6e4, -0.0)
KINDS = [("float32", "mask"), ("float32", "lengths")]
KINDS += [(dtype, "both") for dtype in DTYPES]


@pytest.mark.parametrize(("dtype", "padding"), KINDS)
def test_padding_content_never_matters(implementation, dtype, padding):
    case = Case(2, 9, 5, dtype, padding=padding)
    clean = np.where(case.valid()[:, :, None], case.x(), 0).astype(case.x().dtype)
    expected = _both(implementation, case, clean)
    for junk in JUNK:
        x = clean.copy()
        x[~case.valid()] = junk
        for result, same in zip(_both(implementation, case, x), expected, strict=True):
            assert result.tobytes() == same.tobytes(), f"padded with {junk}"


@pytest.mark.parametrize("padding", ["mask", "lengths"])
def test_gradient_of_padding_is_zero_whatever_the_upstream(any_shape, padding):
    case = Case(3, 17, 9, padding=padding)
    for upstream in (np.nan, np.inf, 1e38):
        upstream = np.full(case.upstream().shape, upstream, np.float32)
        assert not any_shape.gradient_of(case, upstream)[~case.valid()].any()


def test_lengths_of_either_dtype(implementation):
    case = Case(3, 9, 5, padding="lengths")
    lengths = case.lengths().astype(np.int32)
    values = implementation.forward(case.x(), None, lengths, **case.options())
    assert np.array_equal(values, implementation.values_of(case))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32", "int64"])
def test_a_mask_of_ones_and_zeros(rejecting, dtype):
    case = Case(3, 9, 5, padding="mask")
    mask = case.mask().astype(dtype)
    values = rejecting.forward(case.x(), mask, None, **case.options())
    assert np.array_equal(values, rejecting.values_of(case))
    gradient = rejecting.gradient(case.x(), case.upstream(), mask, **case.options())
    assert not gradient[~case.valid()].any()


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("byte", [2, 255])
def test_a_mask_of_other_bytes_than_one(any_shape, byte, data_format):
    size = (300, 20) if any_shape.is_interpreted else (4000, 64)  # the latter is split
    case = Case(2, *size, padding="mask", data_format=data_format)
    mask = (case.mask().astype(np.uint8) * byte).view(bool)
    values = any_shape.forward(case.x(), mask, **case.options())
    assert values.tobytes() == any_shape.values_of(case).tobytes()
    gradient = any_shape.gradient(case.x(), case.upstream(), mask, **case.options())
    assert gradient.tobytes() == any_shape.gradient_of(case).tobytes()


@pytest.mark.parametrize("batch", [3, 1, 0])
def test_lengths_in_a_column(rejecting, batch):
    """As a model gives them that has an input of one number."""
    x = Case(3, 9, 5).x()[:batch]
    lengths = np.array([9, 4, 0])[:batch]
    values = rejecting.forward(x, None, lengths[:, np.newaxis])
    assert np.array_equal(values, rejecting.forward(x, None, lengths))


def test_a_step_counts_if_mask_and_lengths_allow_it(implementation):
    x = np.array([1, 2, 4, 8, 16, 32], np.float32).reshape(1, 6, 1)
    mask = np.array([[True, False, True, True, False, True]])
    values = implementation.forward(x, mask, np.array([4]), statistics=("mean", "max"))
    assert np.array_equal(values, np.float32([[13 / 3, 8]]))


def _both(implementation, case, x):
    """Values and gradient of x, padded as the case says."""
    padding = case.mask(), case.lengths()
    values = implementation.forward(x, *padding, **case.options())
    gradient = implementation.gradient(x, case.upstream(), *padding, **case.options())
    assert not gradient[~case.valid()].astype(float).any()
    return values, gradient
