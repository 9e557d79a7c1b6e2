"""Laws that need no expected numbers."""

import numpy as np
import pytest

from tests.support import exact
from tests.support.cases import Case
from tests.support.checks import assert_within, interval
from tests.support.exact import STATISTICS


@pytest.fixture(params=["float32", "float64"])
def case(request):
    return Case(2, 33, 9, request.param, padding="both", epsilon=0.0)


def test_same_bits_in_every_run(implementation, case):
    values, gradient = implementation.values_of(case), implementation.gradient_of(case)
    for _ in range(3):
        assert implementation.values_of(case).tobytes() == values.tobytes()
        assert implementation.gradient_of(case).tobytes() == gradient.tobytes()


def test_order_of_time_is_forgotten(implementation, case):
    """Max and min to the last bit, sums within their bounds."""
    leeway = implementation.leeway(case.time)
    bounded = exact.statistics(case.x(), case.valid(), case.epsilon, leeway)
    low, high = interval(bounded, STATISTICS, case.x().dtype)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(case.time)
        values = implementation.forward(
            np.ascontiguousarray(case.x()[:, order]),
            np.ascontiguousarray(case.valid()[:, order]),
            **case.options(),
        )
        assert_within(values, low, high, f"{case} in order {seed}")


def test_padding_at_the_end_changes_nothing(implementation, case):
    """Beyond the bounds: a longer T may sum in another order."""
    leeway = implementation.leeway(case.time + 20)
    bounded = exact.statistics(case.x(), case.valid(), case.epsilon, leeway)
    low, high = interval(bounded, STATISTICS, case.x().dtype)
    x = np.pad(case.x(), [(0, 0), (0, 20), (0, 0)], constant_values=7)
    mask = np.pad(case.valid(), [(0, 0), (0, 20)])
    assert_within(implementation.forward(x, mask, **case.options()), low, high, case)


def test_halves_of_time_join(implementation, case):
    parts = []
    for half in (slice(0, 16), slice(16, None)):
        x, mask = (np.ascontiguousarray(a[:, half]) for a in (case.x(), case.valid()))
        values = implementation.forward(x, mask, **case.options())
        values = values.reshape(2, len(STATISTICS), 9).astype(np.float64)
        parts.append((mask.sum(axis=1)[:, np.newaxis], dict(_by_name(values))))
    (n, a), (m, b) = parts
    whole = implementation.values_of(case).reshape(2, len(STATISTICS), 9)
    whole = dict(_by_name(whole.astype(np.float64)))
    joined = {
        "mean": (n * a["mean"] + m * b["mean"]) / (n + m),
        "max": np.maximum(a["max"], b["max"]),
        "min": np.minimum(a["min"], b["min"]),
        "l2": np.hypot(a["l2"], b["l2"]),
        "rms": np.sqrt((n * a["rms"] ** 2 + m * b["rms"] ** 2) / (n + m)),
    }
    u = float(exact.unit_roundoff(case.dtype)) * implementation.leeway(case.time)
    largest = np.abs(case.x()).max()
    for name, values in joined.items():
        # Each of the three was allowed 8 u and a rounding.
        tolerance = 0 if name in ("max", "min") else 3 * 9 * u * largest * 33**0.5
        assert (np.abs(values - whole[name]) <= tolerance).all(), name


def test_gradient_is_linear_in_the_upstream(implementation, case):
    g, h = case.upstream(), case.upstream()[::-1]
    of_g, of_h = (implementation.gradient_of(case, u) for u in (g, h))
    # Multiplying by a power of two rounds nothing.
    assert np.array_equal(implementation.gradient_of(case, 2 * g), 2 * of_g)
    assert np.array_equal(implementation.gradient_of(case, -g), -of_g)
    of_both = implementation.gradient_of(case, g + h)
    scale = np.abs(g).max() + np.abs(h).max()
    u = float(exact.unit_roundoff(case.dtype)) * implementation.leeway(case.time)
    assert np.abs(of_both - (of_g + of_h)).max() <= 3 * 17 * u * 6 * scale


def test_no_upstream_no_gradient(implementation, case):
    assert not implementation.gradient_of(case, np.zeros_like(case.upstream())).any()


def _by_name(values):
    return ((name, values[:, i]) for i, name in enumerate(STATISTICS))
