"""The timing loop: rounds in which every contender takes its turn.

Interleaving spreads other load of the machine over all contenders alike, so that their
ratios hold even where their absolute times drift.
"""

import dataclasses
import time
from collections.abc import Callable

MOST_ROUNDS = 100
LEAST_ROUNDS = 3
_AIMED_ROUNDS = 20
_SHORTEST_SAMPLE = 2e-3  # seconds; long against the clock and the dispatch of a sample
_LONGEST_SAMPLE = 50e-3
_MOST_BATCHES = 10**6
_DISPATCHES_PER_SAMPLE = 50  # so that the dispatch of a sample is at most 2 % of it


@dataclasses.dataclass(frozen=True)
class Runner:
    """Runs so many batches of calls and waits for their end."""

    run: Callable[[int], None]
    batch: int = 1  # calls in a batch

    def seconds(self, batches: int) -> float:
        """How long so many batches take."""
        start = time.perf_counter()
        self.run(batches)
        return time.perf_counter() - start


def calls(call, wait=lambda: None) -> Runner:
    """Makes a runner that calls from Python, and then waits for the calls to end."""

    def run(count):
        for _ in range(count):
            call()
        wait()

    return Runner(run)


class SelfTimed(Runner):
    """Runs single calls; `run` returns their seconds."""

    def seconds(self, batches: int) -> float:
        """By the runner's own clock."""
        return self.run(batches)


@dataclasses.dataclass
class Samples:
    """Times of one contender: seconds per call, one number per sample."""

    runner: Runner
    batches: int  # in a sample
    seconds: list[float] = dataclasses.field(default_factory=list)

    @property
    def calls(self) -> int:
        """Calls in a sample."""
        return self.batches * self.runner.batch

    def take(self) -> None:
        """Takes one sample."""
        self.seconds.append(self.runner.seconds(self.batches) / self.calls)


def calibrate(runner: Runner, budget: float, contenders: int = 1) -> Samples:
    """Warms up and finds how many batches make a sample.

    So many contenders get enough rounds out of the budget of seconds. A sample is
    longer where its dispatch, the time of no batch, would be more than a small part.
    """
    runner.run(1)
    if isinstance(runner, SelfTimed):
        return Samples(runner, 1)
    dispatch = min(runner.seconds(0) for _ in range(3))
    share = budget / (max(contenders, 1) * _AIMED_ROUNDS)
    share = min(max(share, _SHORTEST_SAMPLE), _LONGEST_SAMPLE)
    aimed = max(share, _DISPATCHES_PER_SAMPLE * dispatch)
    batches, elapsed = 1, runner.seconds(1)
    while elapsed < aimed and batches < _MOST_BATCHES:
        batches *= int(min(max(aimed / max(elapsed, 1e-9), 2), 10))
        elapsed = runner.seconds(batches)
    return Samples(runner, batches)


def take_rounds(contenders: list[Samples], budget: float) -> None:
    """Takes samples in turn until the budget of seconds is spent.

    Fills the samples as it goes, so that an interrupt loses nothing.
    """
    deadline = time.perf_counter() + budget
    for index in range(MOST_ROUNDS):
        if index >= LEAST_ROUNDS and time.perf_counter() > deadline:
            return
        first = index % max(len(contenders), 1)  # nothing always follows the same one
        for samples in contenders[first:] + contenders[:first]:
            samples.take()
