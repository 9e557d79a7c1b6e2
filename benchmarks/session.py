"""Goes through the cells: checks, times and writes rows."""

import dataclasses
import re
import textwrap
from collections.abc import Callable, Iterable

import numpy as np

from benchmarks import cases, limits, measure, memory
from benchmarks.correctness import Checker, Verdict
from benchmarks.engines import create_engine
from benchmarks.engines.dispatch import in_loop
from benchmarks.providers import Provider
from benchmarks.results import Row, Writer
from benchmarks.training import TrainingStep, handles

_GRAPH_NODE = re.compile(r"\{\{.*?\}\}")
_OUT_OF_MEMORY = re.compile(r"out of memory|oom when|resource.?exhausted", re.I)


@dataclasses.dataclass
class _Contender:
    """What takes part in a cell: a provider or a limit, with its row to be."""

    row: Row
    samples: measure.Samples


class Session:
    """One run of the suite.

    Attributes:
        writer: Takes the rows.
        say: Called with each line that the user should read.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        writer: Writer,
        device: str,
        budget: float,
        wanted: Callable[[str], bool] = lambda label: True,
        say: Callable[[str], None] = print,
    ):
        self.writer = writer
        self.say = say
        self._device = device
        self._budget = budget
        self._wanted = wanted
        self.beaten = []  # limits that somebody was faster than: they are none
        self._checker = Checker()
        self._engines = {}
        self._case, self._arrays, self._placed = None, None, {}
        self._providers = [p for p in providers if self._can_run(p)]

    def wants(self, cell: cases.Cell) -> bool:
        """Whether anybody takes part in the cell."""
        return any(self._takes_part(p, cell) for p in self._providers)

    def run_cell(self, cell: cases.Cell) -> None:
        """Measures a cell; an interrupt keeps the samples taken until then."""
        providers = [p for p in self._providers if self._takes_part(p, cell)]
        contenders = []
        try:
            contenders += self._prepare_limits(cell)
            for provider in providers:
                contenders += self._prepare(provider, cell, len(providers))
            measure.take_rounds([c.samples for c in contenders], self._budget)
        finally:
            self._write(cell, [c for c in contenders if c.samples.seconds])

    def _can_run(self, provider: Provider) -> bool:
        """Finds out on a tiny input; who can't run gets one line."""
        tiny = cases.Case(2, 3, 2)
        try:
            if provider.engine not in self._engines:
                engine = create_engine(provider.engine, self._device)
                self._engines[provider.engine] = engine
            engine = self._engines[provider.engine]
            placed = engine.place(cases.make_inputs(tiny))
            engine.outputs(provider, cases.FORWARD, tiny, placed)
        except Exception as error:  # Whatever it is, the others go on.
            self.say(f"left out: {provider.name}: {_first_line(error)}")
            self.writer.add(
                Row(
                    provider.name,
                    provider.engine,
                    provider.ours,
                    provider.compiled,
                    status="left out",
                    reason=_first_line(error),
                )
            )
            return False
        return True

    def _takes_part(self, provider: Provider, cell: cases.Cell) -> bool:
        if not self._wanted(f"{cell.label} {provider.name}"):
            return False
        if cell.dispatch == "step":
            return handles(provider, cell.mode)
        everywhere = provider.everywhere or cell.case.dtype == "float32"
        return everywhere and self._engines[provider.engine].handles(cell)

    def _inputs(self, case: cases.Case) -> cases.Inputs:
        """Inputs of a case, kept for the next cell of the same case."""
        if self._case != case:
            self._case, self._arrays, self._placed = None, None, {}  # Frees the last.
            self._arrays = cases.make_inputs(case)
            self._case = case
        return self._arrays

    def _place(self, name: str, case: cases.Case):
        """The inputs as arrays of an engine, the same for all of its providers."""
        arrays = self._inputs(case)
        if name not in self._placed:
            self._placed[name] = self._engines[name].place(arrays)
        return self._placed[name]

    def _prepare_limits(self, cell: cases.Cell) -> list[_Contender]:
        try:
            arrays = self._inputs(cell.case)
            runners = limits.limit_runners(cell, arrays, self._device)
        except Exception as error:
            self.say(f"no limits for {cell.label}: {_first_line(error)}")
            return []
        seconds = measure.sample_seconds(self._budget, 1)
        return [
            _Contender(
                _row(cell, Row(name, "machine", status="limit")),
                measure.calibrate(runner, seconds),
            )
            for name, runner in runners.items()
        ]

    def _prepare(self, provider, cell, contenders) -> list[_Contender]:
        """Checks and calibrates; writes the row at once where that fails."""
        row = _row(
            cell,
            Row(provider.name, provider.engine, provider.ours, provider.compiled),
        )
        try:
            runner, verdict = self._runner_and_verdict(provider, cell)
            row.status, row.reason = verdict.status, verdict.reason
            row.error = verdict.error if np.isfinite(verdict.error) else None
            seconds = measure.sample_seconds(self._budget, contenders)
            samples = measure.calibrate(runner, seconds)
            row.peak_bytes = self._peak_bytes(runner, cell)
        except Exception as error:
            row.status = "failed"
            if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
                row.status = "out of memory"
            row.reason = _first_line(error)
            self.say(f"{row.status}: {provider.name} in {cell.label}: {row.reason}")
            self.writer.add(row)
            return []
        return [_Contender(row, samples)]

    def _runner_and_verdict(
        self, provider: Provider, cell: cases.Cell
    ) -> tuple[measure.Runner, Verdict]:
        if cell.dispatch == "step":
            step = TrainingStep(provider, cell.mode, cell.case)
            return step.runner, step.verdict()
        engine = self._engines[provider.engine]
        placed = self._place(provider.engine, cell.case)
        verdict = self._checker.check(engine, provider, cell, self._arrays, placed)
        return engine.runner(provider, cell, placed), verdict

    def _peak_bytes(self, runner, cell) -> int | None:
        """Of single calls in a graph or a step: "call" is the same, a loop is many."""
        if in_loop(cell) or cell.dispatch in ("core", "call"):
            return None
        return memory.peak_extra_bytes(lambda: runner.run(1), self._device)

    def _write(self, cell: cases.Cell, contenders: list[_Contender]) -> None:
        medians = {c.row.provider: np.median(c.samples.seconds) for c in contenders}
        for contender in contenders:
            row, seconds = contender.row, contender.samples.seconds
            q20, row.seconds, q80 = map(float, np.quantile(seconds, [0.2, 0.5, 0.8]))
            row.seconds_q20, row.seconds_q80 = q20, q80
            row.samples, row.calls_per_sample = len(seconds), contender.samples.calls
            if row.engine == "machine":
                row.bytes = limits.limit_bytes(row.provider, cell.case, self._device)
            else:
                row.bytes = cell.case.moved_bytes(cell.mode) or None
                if row.bytes:
                    row.limit, row.limit_seconds = limits.limit_of(cell.mode, medians)
            if row.bytes:
                row.gb_per_s = row.bytes / row.seconds / 1e9
            if row.limit_seconds:
                row.share_of_limit = row.limit_seconds / row.seconds
                if row.share_of_limit > limits.BEATEN:
                    self.beaten.append(f"{cell.label} {row.provider}")
            self.writer.add(row)


def _row(cell: cases.Cell, row: Row) -> Row:
    case = dataclasses.asdict(cell.case)
    return dataclasses.replace(row, mode=cell.mode, dispatch=cell.dispatch, **case)


def _first_line(error: Exception) -> str:
    lines = _GRAPH_NODE.sub("", str(error)).strip().splitlines() or [""]
    return textwrap.shorten(f"{type(error).__name__}: {lines[0]}", 200)
