"""The C++ core gives the same bits for any threads, instruction set and processor."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.cases import DTYPES, FORMATS, Case
from tests.support.exact import STATISTICS
from tests.support.generated import problems

# The first two are worth several threads, on any processor; the last has blocks of
# several units.
SIZES = [(1, 500_000, 3), (1, 70_000, 2), (3, 65, 17), (1, 9, 513), (5, 257, 33)]
SIZES += [(50, 20, 17)]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_threads(first, core, dtype, data_format):
    # An interpreter takes several threads for less.
    for size in SIZES[core.is_interpreted :]:
        for values, padding in (("normal", "none"), ("relu", "both")):
            case = Case(*size, dtype, values, padding, data_format=data_format)
            expected = _bits(first, case, num_threads=1)
            for threads in (1, 2, 3, 7):
                bits = _bits(core, case, num_threads=threads)
                assert bits == expected, f"{case} on {core} with {threads} threads"


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_nan_for_any_threads(program, dtype, data_format):
    """Its sign and payload too."""
    case = Case(50, 20, 17, dtype, data_format=data_format)
    x = case.x()
    random = np.random.default_rng(0)
    bits = np.array(np.nan, dtype).view(f"u{x.itemsize}")
    nan = (bits + random.integers(0, 1000, x.shape).astype(bits.dtype)).view(dtype)
    nan = np.copysign(nan, random.normal(size=x.shape).astype(dtype))
    special = np.where(random.random(x.shape) < 0.5, nan, np.copysign(np.inf, nan))
    x = np.where(random.random(x.shape) < 0.05, special, x).astype(dtype)
    expected = program.forward(x, num_threads=1, **case.options())
    assert np.isnan(expected).any()
    for threads in (2, 3, 7):
        values = program.forward(x, num_threads=threads, **case.options())
        assert values.tobytes() == expected.tobytes(), f"{program}, {threads} threads"


@pytest.mark.parametrize(
    ("statistics", "special"),
    [(("mean", "max", "l2"), [np.nan]), (STATISTICS, [np.nan, np.inf, -np.inf])],
    ids=["in float", "in double"],  # where both can be: an infinite norm needs double
)
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_channels_in_any_company(core, dtype, data_format, statistics, special):
    """Whole blocks of lanes may be taken in another order; 44 channels end in one."""
    case = Case(2, 70, 96, dtype, data_format=data_format)
    axis = 2 if data_format == "channels_last" else 1
    random = np.random.default_rng(0)
    special = random.choice(special, case.x().shape)
    x = np.where(random.random(special.shape) < 0.001, special, case.x())
    x = x.astype(case.x().dtype)
    options = case.options(statistics)
    upstream = case.upstream(statistics)
    gradient = core.gradient(x, upstream, **options)
    for part in (range(44), range(44, 88)):
        of_part = upstream.reshape(2, -1, 96).take(part, 2).reshape(2, -1)
        alone = core.gradient(x.take(part, axis), of_part, **options)
        assert _numbers(gradient.take(part, axis)) == _numbers(alone), core


@settings(max_examples=250)
@given(problem=problems(finite=False))
def test_same_bits_for_anything(first, core, problem):
    """NaN aside, whose sign and payload processors choose differently."""
    assert _bits(core, problem) == _bits(first, problem)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_where_the_caller_flushes_subnormals(program, dtype, data_format):
    """As TensorFlow's threads do, on x86 and on Arm."""
    for size in SIZES[1:]:
        case = Case(*size, dtype, "denormal", epsilon=0.0, data_format=data_format)
        assert np.any(program.values_of(case))
        bits = _bits(program, case, flushes_subnormals=True)
        assert bits == _bits(program, case), f"{case} on {program}"


def _bits(core, case, **how):
    values = core.values_of(case, **how)
    return _numbers(values), _numbers(core.gradient_of(case, **how))


def _numbers(array):
    nan = np.isnan(array.astype(np.float64))
    return np.where(nan, 0, array).astype(array.dtype).tobytes(), nan.tobytes()
