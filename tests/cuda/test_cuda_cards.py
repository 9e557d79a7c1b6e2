"""From card to card: what stays the same to the bit, and what within the bounds.

The plan follows the number of multiprocessors, and with it which rows are summed in
float before they join a double.
"""

import dataclasses

import pytest

import statpool
from tests.support import exact
from tests.support.cases import STATISTICS, Case
from tests.support.checks import assert_within, interval, rounded
from tests.support.cuda_launchers import Pooling

CARDS = 132, 108  # multiprocessors of an H100 and an A100
EXTREMES = ("max", "min")
CASE = Case(40, 68, 36)


def results(cuda, case, statistics, multiprocessors):
    """Values `[B, S, C]` and gradient."""
    options = {**case.options(statistics), "multiprocessors": multiprocessors}
    with Pooling(cuda, case.x(), **options) as pooling:
        values = pooling.forward()
        gradient = pooling.gradient(case.upstream(statistics))
    return values.reshape(case.batch, len(statistics), case.channels), gradient


@pytest.fixture(scope="module")
def of_cards(cuda):
    return [results(cuda, CASE, STATISTICS, card) for card in CARDS]


def test_the_plans_of_these_cards_differ():
    """And so does what is summed together: the other tests mean something."""
    shape = (CASE.batch, CASE.time, CASE.channels)
    large, small = (statpool.launch_plan(shape, multiprocessors=n) for n in CARDS)
    names = "threads_y", "splits", "rows_per_split"
    assert [large["forward"][name] for name in names] != [
        small["forward"][name] for name in names
    ]


def test_the_same_bits_from_run_to_run(cuda, of_cards):
    for card, first in zip(CARDS, of_cards, strict=True):
        for once, again in zip(
            first, results(cuda, CASE, STATISTICS, card), strict=True
        ):
            assert once.tobytes() == again.tobytes()


def test_extremes_and_their_ties_have_the_same_bits_on_other_cards(cuda, of_cards):
    """A tie count is the denominator of the gradient."""
    large, small = (values for values, _ in of_cards)
    for name in EXTREMES:
        s = STATISTICS.index(name)
        assert large[:, s].tobytes() == small[:, s].tobytes()
    case = dataclasses.replace(CASE, values="ties")
    large, small = (results(cuda, case, EXTREMES, card) for card in CARDS)
    for one, other in zip(large, small, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_rest_lies_within_the_bounds_on_either_card(of_cards):
    x, valid, upstream = CASE.x(), CASE.valid(), CASE.upstream()
    bounded = exact.statistics(x, valid, CASE.epsilon)
    ends = interval(bounded, STATISTICS, x.dtype)
    gradient = exact.gradient(x, valid, upstream, STATISTICS, CASE.epsilon)
    gradient_ends = rounded(*gradient, x.dtype)
    for card, (values, dx) in zip(CARDS, of_cards, strict=True):
        what = f"{card} multiprocessors, {CASE}"
        assert_within(values.reshape(CASE.batch, -1), *ends, what)
        assert_within(dx, *gradient_ends, what)
