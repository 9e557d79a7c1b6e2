"""Nothing finite overflows or vanishes on the way, and nothing cancels."""

import ml_dtypes
import numpy as np
import pytest

from tests.support.cases import DTYPES, Case, numpy_dtype
from tests.support.checks import check, check_gradient, check_values

MAGNITUDES = [("1e200", "float64"), ("1e-200", "float64")]
MAGNITUDES += [(v, d) for v in ("1e30", "1e-30") for d in ("float32", "bfloat16")]


@pytest.mark.parametrize(("values", "dtype"), MAGNITUDES)
def test_huge_and_tiny_values(implementation, values, dtype):
    for epsilon in (0.0, 1e-12):
        check(implementation, Case(2, 9, 5, dtype, values, "both", epsilon))
    # Examples that share vectors.
    case = Case(9, 9, 11, dtype, values, data_format="channels_first")
    check_values(implementation, case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_next_to_the_largest_number(any_shape, dtype):
    """Mean, rms and std fit where the sum doesn't; l2 is Inf only where it must be."""
    check_values(any_shape, Case(2, 9, 5, dtype, "largest", epsilon=0.0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_next_to_the_largest_number(any_shape, dtype):
    """Of every statistic that is finite; the l2 of these channels is not."""
    case = Case(2, 9, 5, dtype, "largest", epsilon=0.0)
    check_gradient(any_shape, case, ("mean", "max", "min", "rms", "std"))
    # Without std, whose formula may be computed in a wider type for all of them.
    check_gradient(any_shape, case, ("mean", "max", "rms"))


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-30])
def test_gradients_of_huge_values_under_a_tiny_upstream(any_shape, scale):
    """As a float32, upstream / l2 has few bits or none; upstream * (x / l2) has all."""
    x = np.full((1, 4, 1), 2.0**126, np.float32)
    upstream = np.float32([[scale * (1 + 3 * 2.0**-12)]])
    gradient = any_shape.gradient(x, upstream, statistics=("l2",), epsilon=0.0)
    np.testing.assert_allclose(gradient, np.full_like(x, upstream / 2), rtol=2.0**-20)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_smallest_normal_numbers(implementation, dtype):
    """A gradient is upstream * (x / l2), for upstream / l2 may overflow."""
    x = np.full((1, 4, 1), ml_dtypes.finfo(dtype).tiny, numpy_dtype(dtype))
    options = {"statistics": ("l2", "rms"), "epsilon": 0.0}
    values = implementation.forward(x, **options)
    assert np.array_equal(values, [[2 * x[0, 0, 0], x[0, 0, 0]]])
    upstream = np.array([[1024, 256]]).astype(x.dtype)
    gradient = implementation.gradient(x, upstream, **options)
    assert np.array_equal(gradient, np.full_like(x, 512 + 64))


@pytest.mark.parametrize("dtype", DTYPES)
def test_denormal_values(any_shape, dtype):
    """Exact but for the last bit, or where denormals are flushed, as good as zero."""
    check_values(any_shape, Case(2, 9, 5, dtype, "denormal", epsilon=0.0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_denormal_values_stay_finite(any_shape, dtype):
    """A norm may lose its bits there, but x / norm is still at most 1."""
    case = Case(2, 9, 5, dtype, "denormal", epsilon=0.0)
    for statistics in (("l2",), ("rms",), ("std",)):
        gradient = any_shape.gradient_of(case, statistics=statistics)
        bound = 1.5 * np.abs(case.upstream(statistics).astype(float))[:, np.newaxis, :]
        assert (np.abs(gradient.astype(np.float64)) <= bound).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_std_of_small_deviations_on_a_large_mean(implementation, dtype):
    check(implementation, Case(2, 65, 5, dtype, "offset", "both", 0.0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("values", ["steep", "jump"])
def test_std_next_to_what_the_dtype_can_tell(any_shape, values, dtype):
    for padding in ("none", "both"):
        check(any_shape, Case(2, 515, 5, dtype, values, padding, 0.0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_std_of_a_constant_channel(any_shape, dtype):
    """May be an error of the mean, but neither NaN nor the root of a negative."""
    for epsilon in (0.0, 1e-12):
        check(any_shape, Case(2, 7, 3, dtype, "constant", epsilon=epsilon))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_wide_output_of_16_bit_input(implementation, dtype):
    check_values(implementation, Case(2, 9, 5, dtype), output_dtype="float32")


def test_float16_norm_beyond_the_largest_float16(implementation):
    x = np.full((1, 4, 2), 60000, np.float16)
    narrow = implementation.forward(x, statistics=("l2", "rms"))
    assert np.array_equal(narrow, np.float16([[np.inf, np.inf, 60000, 60000]]))
    wide = implementation.forward(x, statistics=("l2",), output_dtype="float32")
    assert np.array_equal(wide, np.float32([[120000, 120000]]))
    # The gradient knows the norm itself, not the infinity it was rounded to.
    for output_dtype, upstream in ((None, np.float16), ("float32", np.float32)):
        gradient = implementation.gradient(
            x, upstream([[1, -2]]), statistics=("l2",), output_dtype=output_dtype
        )
        assert gradient.dtype == np.float16
        assert np.array_equal(gradient, np.tile(np.float16([0.5, -1]), (1, 4, 1)))


@pytest.mark.parametrize(("dtype", "huge"), [("float32", 1e38), ("float64", 1e308)])
def test_norms_beyond_their_dtype(any_shape, dtype, huge):
    x = np.full((2, 100, 3), huge, dtype)
    assert np.isposinf(any_shape.forward(x, statistics=("l2",))).all()
    upstream = np.ones((2, 3), dtype)
    gradient = any_shape.gradient(x, upstream, statistics=("l2",)).astype(float)
    is_right = np.allclose(gradient, 0.1, rtol=1e-6, atol=0)
    assert is_right or not gradient.any()  # never NaN


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_16_bit_gradient_uses_the_unrounded_norm(implementation, dtype):
    """With the norm rounded to 16 bits the gradient would be off by a unit or more."""
    random = np.random.default_rng(0)
    x = (1 + random.random(size=(1, 50, 64))).astype(numpy_dtype(dtype))
    exact = x.astype(np.float64)
    exact = 100 * exact / np.sqrt(np.sum(exact**2, axis=1, keepdims=True))
    upstream = np.full((1, 64), 100, x.dtype)
    gradient = implementation.gradient(x, upstream, statistics=("l2",), epsilon=0.0)
    half_unit = float(ml_dtypes.finfo(dtype).eps) / 2
    error = np.abs(gradient.astype(np.float64) - exact) / np.exp2(
        np.floor(np.log2(exact))
    )
    assert error.max() <= half_unit * (1 + 1e-4)
