"""From card to card: what stays the same to the bit, and what within the bounds.

The plan follows the number of multiprocessors, and with it which rows are summed in
float before they join a double.
"""

import dataclasses

import pytest

import statpool
from tests.programs.cuda_program import results
from tests.support.cases import STATISTICS, Case
from tests.support.checks import check
from tests.support.core_implementations import CudaLaunchers

CARDS = 132, 108  # multiprocessors of an H100 and an A100
EXTREMES = ("max", "min")
CASE = Case(40, 68, 36)


@pytest.fixture(scope="module")
def of_cards(cuda):
    return [results(cuda, CASE, STATISTICS, card) for card in CARDS]


def test_the_plans_of_these_cards_differ():
    """And so does what is summed together: the other tests mean something."""
    shape = (CASE.batch, CASE.time, CASE.channels)
    plans = [statpool.launch_plan(shape, multiprocessors=n) for n in CARDS]
    large, small = (plan["forward"] for plan in plans)
    names = "threads_y", "splits", "rows_per_split"
    assert any(large[name] != small[name] for name in names)


def test_the_same_bits_from_run_to_run(cuda, of_cards):
    for card, first in zip(CARDS, of_cards, strict=True):
        again = results(cuda, CASE, STATISTICS, card)
        assert [a.tobytes() for a in first] == [a.tobytes() for a in again]


def test_extremes_and_their_ties_have_the_same_bits_on_other_cards(cuda, of_cards):
    """A tie count is the denominator of the gradient."""
    shape = CASE.batch, len(STATISTICS), CASE.channels
    large, small = (values.reshape(shape) for values, _ in of_cards)
    for name in EXTREMES:
        s = STATISTICS.index(name)
        assert large[:, s].tobytes() == small[:, s].tobytes()
    case = dataclasses.replace(CASE, values="ties")
    large, small = (results(cuda, case, EXTREMES, card) for card in CARDS)
    assert [a.tobytes() for a in large] == [a.tobytes() for a in small]


class Card(CudaLaunchers):
    """The launchers, with the plans for so many multiprocessors."""

    def __init__(self, multiprocessors):
        super().__init__()
        self.multiprocessors = multiprocessors

    def _pooling(self, *arrays, **options):
        options["multiprocessors"] = self.multiprocessors
        return super()._pooling(*arrays, **options)


@pytest.mark.parametrize("multiprocessors", CARDS)
def test_the_rest_lies_within_the_bounds_on_either_card(cuda, multiprocessors):
    check(Card(multiprocessors), CASE)


@pytest.mark.parametrize("multiprocessors", [1, 2, 7, 132, 1000])
def test_any_number_of_splits_stays_within_the_bounds(cuda, multiprocessors):
    check(Card(multiprocessors), Case(1, 1500, 64, padding="both"))
