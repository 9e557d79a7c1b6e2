"""The C++ core gives the same bits for any number of threads and instruction set."""

import pytest
from cases import DTYPES, FORMATS, Case
from implementations import IMPLEMENTATIONS, NumpyCore, why_unusable

SIZES = [(3, 65, 17), (1, 50_000, 3), (1, 9, 513), (5, 257, 33)]


@pytest.fixture(scope="module")
def cores():
    cores = [one for one in IMPLEMENTATIONS if isinstance(one, NumpyCore)]
    if any(why_unusable(core) for core in cores):
        pytest.skip("the native library can't be used: see test_usable")
    return cores


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_threads_and_instructions(cores, dtype, data_format):
    for size in SIZES:
        for padding in ("none", "both"):
            case = Case(*size, dtype, padding=padding, data_format=data_format)
            first = None
            for core in cores:
                for threads in (1, 2, 3, 7):
                    bits = _bits(core, case, threads)
                    first = first or bits
                    assert bits == first, f"{case} on {core} with {threads} threads"


def _bits(core, case, threads):
    options = {**case.options(), "num_threads": threads}
    padding = case.mask(), case.lengths()
    values = core.forward(case.x(), *padding, **options)
    gradient = core.gradient(case.x(), case.upstream(), *padding, **options)
    return values.tobytes(), gradient.tobytes()
