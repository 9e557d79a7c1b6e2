"""Correction 1: std over N - 1, as NumPy's ddof and PyTorch's correction say."""

import ml_dtypes
import numpy as np
import pytest

from tests.support.cases import DTYPES, FORMATS, Case, numpy_dtype, to_layout

# What the CPU packs, what it and CUDA take by vectors, and by splits.
SHAPES = [(43, 3, 2), (3, 37, 9), (2, 257, 16)]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_correction_is_a_factor(any_shape, dtype, data_format):
    """Of std and of its gradient, where epsilon is 0; the mean beside it has none."""
    for shape in SHAPES:
        case = Case(*shape, dtype, "normal", "both", 0.0, data_format)
        names = "mean", "std"
        upstream = case.upstream(names)
        upstream[:, : case.channels] = 0
        counts = case.valid().sum(axis=1)[:, None].astype(float)
        factor = np.sqrt(counts / np.maximum(counts - 1, 1))
        values, gradients = [], []
        for correction in (0, 1):
            y = any_shape.values_of(case, names, correction=correction)
            dx = any_shape.gradient_of(case, upstream, names, correction=correction)
            values.append(y.astype(np.float64))
            gradients.append(to_layout(dx, data_format).astype(np.float64))
        near = {"rtol": 4 * float(ml_dtypes.finfo(numpy_dtype(dtype)).eps)}
        near["atol"] = float(ml_dtypes.finfo(numpy_dtype(dtype)).smallest_subnormal)
        width = case.channels
        assert np.array_equal(values[1][:, :width], values[0][:, :width])
        corrected = factor * values[0][:, width:]
        np.testing.assert_allclose(values[1][:, width:], corrected, **near)
        corrected = factor[..., None] * gradients[0]
        np.testing.assert_allclose(gradients[1], corrected, **near)


@pytest.mark.parametrize("dtype", DTYPES)
def test_correction_of_few_steps(implementation, dtype):
    """Epsilon is added afterwards; one step, and none, have no deviation to correct."""
    x = np.array([0, 2, 4]).reshape(1, 3, 1).astype(numpy_dtype(dtype))
    x = np.repeat(x, 3, axis=0)
    lengths, upstream = np.array([0, 1, 2]), np.full((3, 1), 3).astype(x.dtype)
    options = {"statistics": ("std",), "epsilon": 0.25, "correction": 1}
    values = implementation.forward(x, None, lengths, **options)
    assert np.array_equal(values, [[0.5], [0.5], [1.5]])
    gradient = implementation.gradient(x, upstream, None, lengths, **options)
    third = np.array([-2, 2, 0], x.dtype)
    np.testing.assert_allclose(
        gradient[..., 0].astype(float), [0 * third, 0 * third, third], rtol=1e-6
    )
