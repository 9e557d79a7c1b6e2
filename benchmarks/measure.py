"""The timing loop: rounds in which every contender takes its turn.

Interleaving spreads what else the machine does over all contenders alike, so that their
ratios hold even where their absolute times drift.
"""

import dataclasses
import time
from collections.abc import Callable

MOST_ROUNDS = 100
LEAST_ROUNDS = 3
_AIMED_ROUNDS = 20
_SHORTEST_SAMPLE = 2e-3  # Seconds; long against the clock and the dispatch of a sample.
_LONGEST_SAMPLE = 50e-3
_MOST_BATCHES = 10**6
_DISPATCHES_PER_SAMPLE = 50  # So that the dispatch of a sample is at most 2 % of it.


@dataclasses.dataclass(frozen=True)
class Runner:
    """Something to time.

    Attributes:
        run: Runs the given number of batches of calls and waits for their end.
        batch: Calls in a batch.
    """

    run: Callable[[int], None]
    batch: int = 1


@dataclasses.dataclass
class Samples:
    """Times of one contender.

    Attributes:
        runner: What is timed.
        batches: Batches in a sample.
        seconds: Seconds per call, one number per sample.
    """

    runner: Runner
    batches: int
    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def calls(self) -> int:
        """Calls in a sample."""
        return self.batches * self.runner.batch

    def take(self) -> None:
        """Takes one sample."""
        self.seconds.append(_time(self.runner, self.batches) / self.calls)


def sample_seconds(budget: float, contenders: int) -> float:
    """How long one sample should last to get enough rounds out of the budget."""
    share = budget / (max(contenders, 1) * _AIMED_ROUNDS)
    return min(max(share, _SHORTEST_SAMPLE), _LONGEST_SAMPLE)


def calibrate(runner: Runner, seconds: float) -> Samples:
    """Warms up and finds how many batches make a sample of about that many seconds.

    A sample is longer where its dispatch, what it costs to run no batch at all, would
    count otherwise.
    """
    batches = 1
    runner.run(batches)
    dispatch = min(_time(runner, 0) for _ in range(3))
    seconds = max(seconds, _DISPATCHES_PER_SAMPLE * dispatch)
    elapsed = _time(runner, batches)
    while elapsed < seconds and batches < _MOST_BATCHES:
        batches *= int(min(max(seconds / max(elapsed, 1e-9), 2), 10))
        elapsed = _time(runner, batches)
    return Samples(runner, batches)


def take_rounds(contenders: list[Samples], budget: float) -> None:
    """Takes samples in turn until the budget of seconds is spent.

    Fills the samples as it goes, so that an interrupt loses nothing.
    """
    deadline = time.perf_counter() + budget
    for index in range(MOST_ROUNDS):
        if index >= LEAST_ROUNDS and time.perf_counter() > deadline:
            return
        first = index % max(len(contenders), 1)  # Nobody always follows the same one.
        for samples in contenders[first:] + contenders[:first]:
            samples.take()


def _time(runner: Runner, batches: int) -> float:
    start = time.perf_counter()
    runner.run(batches)
    return time.perf_counter() - start
